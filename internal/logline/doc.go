// Package logline is what the logs have in common where they write bytes: text of strangers that
// breaks no line, and lines that stay whole whatever becomes of a write.
package logline
