// Package archtest holds the module to its shape: imports point down only, few direct dependencies,
// few exported names. It has tests and nothing else.
package archtest
