//go:build !linux

package chassis

// holderOf returns the process that listens on a TCP port. Only Linux tells without other programs.
func holderOf(string) string { return "" }
