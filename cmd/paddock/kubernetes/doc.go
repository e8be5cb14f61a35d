// Package kubernetes tests the manifests of a new service against the types of Kubernetes. It has
// tests alone, in a module of its own, because those types are large.
package kubernetes
