// Package redact hides what must not be read by whoever reads logs: values that stand under a name known to hold
// secrets ("authorization", "password", "client_secret"), at any depth, and fields of protobuf messages that are
// marked with the standard option debug_redact.
//
// What cannot be looked into is not hidden: a secret inside a plain string or in the text of an error stays.
package redact
