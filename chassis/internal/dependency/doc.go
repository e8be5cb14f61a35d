// Package dependency makes health checks of the connections to other services.
//
// A soft dependency is reported and does not affect readiness. A hard one delays readiness until
// it is connected.
//
// When a hard one is lost later, there are two cases. If only this instance has lost it, it
// should leave, so that its traffic goes to the others. If all instances have lost it, leaving
// would turn a service that answers some calls into one that answers none. So before an instance
// leaves, and while it is away, it asks the [Fleet] whether enough of the others are ready. If
// not, it fails open.
package dependency
