//go:build !linux

package main

// cores keeps nothing apart here.
type cores struct{ apart bool }

func findCores() cores { return cores{} }

func (cores) startServer(start func() error) error { return start() }

func (cores) pinGenerator() (undo func(), err error) { return func() {}, nil }
