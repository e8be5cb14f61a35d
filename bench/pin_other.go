//go:build !linux

package main

func onServerCPU(start func() error) error { return start() }

func pinGenerator() (undo func(), pinned bool) { return func() {}, false }
