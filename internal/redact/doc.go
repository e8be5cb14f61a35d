// Package redact hides what must not be read by whoever reads logs: values that stand under a name known to hold
// secrets ("authorization", "password", "client_secret"), at any depth, and fields of protobuf messages that are
// marked with the standard option debug_redact. Fields of structs with the tag secret:"true" and values of
// chassis.Secret are hidden whatever their names are.
//
// A plain string tells nothing of what is in it. Texts know the secrets of one call, its debug_redact fields and its
// credentials, and find them again in log lines that have the context of the call and in errors.
//
// What is neither stays: a secret in a plain string that is logged without the context of its call, or was changed
// before, or is shorter than four characters (eight for credentials), or has come from elsewhere than the call.
package redact
