package mtls

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// watcher announces changes in a set of folders. It is only a hint: it misses the replacement of
// a folder itself, and changes to a link's target in another folder. Polling covers both.
type watcher struct {
	file    *os.File
	events  chan struct{}
	running sync.WaitGroup
}

const watchedEvents = syscall.IN_CLOSE_WRITE | syscall.IN_CREATE | syscall.IN_MOVED_TO | syscall.IN_DELETE | syscall.IN_ATTRIB

// watchFolders returns a watcher, which is usable even with an error: it then announces nothing.
func watchFolders(folders []string) (*watcher, error) {
	w := &watcher{events: make(chan struct{}, 1)}
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return w, fmt.Errorf("inotify: %w", err)
	}
	var errs []error
	for _, folder := range folders {
		if _, err := syscall.InotifyAddWatch(fd, folder, watchedEvents); err != nil {
			errs = append(errs, fmt.Errorf("inotify: %s: %w", folder, err))
		}
	}
	// A non-blocking descriptor is read through the runtime's poller, so that close interrupts a
	// read.
	w.file = os.NewFile(uintptr(fd), "inotify")
	w.running.Go(w.read)
	return w, errors.Join(errs...)
}

// read discards the contents of events: each means the same, look again.
func (w *watcher) read() {
	buffer := make([]byte, 64*(syscall.SizeofInotifyEvent+syscall.NAME_MAX+1))
	for {
		if _, err := w.file.Read(buffer); err != nil {
			return
		}
		select {
		case w.events <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) changed() <-chan struct{} { return w.events }

func (w *watcher) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.running.Wait()
	}
}
