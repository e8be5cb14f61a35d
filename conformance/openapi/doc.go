// Package openapi holds the OpenAPI documents of services to public validators, and a client that is generated from one to
// a running service. It has tests and nothing else; make openapi runs them.
package openapi
