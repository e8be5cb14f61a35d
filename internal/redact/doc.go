// Package redact hides what must not be read by whoever reads logs, spans, errors and pages. It
// goes by the place where a value stands, and never by what the value is:
//
//   - values under a secret name, at any depth: see [SecretName]
//   - fields of protobuf messages that are marked with the standard option debug_redact, of any type, in messages, lists,
//     maps and in an Any whose type is linked into the program. An Any of an unknown type is hidden whole
//   - fields of structs with the tag secret:"true", and values of chassis.Secret, whatever their names are
//   - user, query and fragment of a url.URL, and of the URL of a url.Error
//
// Plain text has no places. What a program has printed into a string stays as it is: nothing that a
// caller sends decides what is masked in it. [Values] is for texts that are known to be settings or
// to quote them, and goes by their form.
package redact
