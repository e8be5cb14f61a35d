// Package dependency makes health checks of the connections to other services.
//
// A soft dependency is reported and decides nothing. A hard one holds the start until it is
// there. When it is lost later, the question is whether this instance has lost it, and should
// send its traffic to the others, or all instances have: then leaving would turn a service that
// answers some calls into one that answers none. So before an instance leaves, and for as long as
// it has left, it asks the [Fleet] whether enough of the others are ready, and fails open where
// they are not.
package dependency
