//go:build !linux

package mtls

import "errors"

// watcher announces nothing on this system: the files are polled.
type watcher struct{}

func watchFolders([]string) (*watcher, error) { return &watcher{}, errors.ErrUnsupported }

func (*watcher) changed() <-chan struct{} { return nil }

func (*watcher) close() {}
