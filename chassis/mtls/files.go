package mtls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// FilesConfig says where [Files] reads. The three files are PEM; each may be a symbolic link, as Kubernetes mounts secrets.
type FilesConfig struct {
	// CertFile holds the own certificate, followed by its intermediates if there are any.
	CertFile string
	// KeyFile holds the private key of the certificate, not encrypted.
	KeyFile string
	// CAFile holds the trusted roots, at least one.
	CAFile string
	// PollInterval is how often the files are read when nothing has announced a change; 1 s if zero or less.
	PollInterval time.Duration
	// Logger and Registerer are told of replacements. Both may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// FileSource is a [Source] that follows three files. Make one with [Files].
type FileSource struct {
	inForce
	files   fileSet
	poll    time.Duration
	watcher *watcher
	loaded  fingerprint

	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

// settle is how long the files must stay as they are before they are taken or reported, because a replacement of three
// files has moments in which they do not belong together. A change is taken after settleLimit looks at the latest.
const (
	settle      = 100 * time.Millisecond
	settleLimit = 8
)

// Files returns a source of the certificates in the files of cfg. A missing, broken, mismatched or expired file is an
// error that names the file. That the roots do not verify the own certificate is none: there are services whose
// certificate comes from another authority than their clients', but it is logged.
//
// A replacement, by whatever means, is in force within PollInterval and 0.9 s; on Linux usually after 0.1 s, since the
// folders of the files are watched too. One that could not be used at start changes nothing: it is reported once, and
// the files are looked at again until they are good. What is in force is told apart by content, not by time stamps.
//
// The source follows the files until ctx is done or Close is called.
func Files(ctx context.Context, cfg FilesConfig) (*FileSource, error) {
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = time.Second
	}
	s := &FileSource{files: fileSet{cfg.CertFile, cfg.KeyFile, cfg.CAFile}, poll: cfg.PollInterval}
	if err := s.files.named(); err != nil {
		return nil, err
	}
	// Watch before the first look, or a replacement between the two would wait for a poll.
	watcher, watchErr := watchFolders(s.files.folders())
	s.watcher = watcher
	first := s.files.read()
	identity, err := first.identity(time.Now())
	if err == nil {
		err = s.start(identity, cfg.Logger, cfg.Registerer)
	}
	if err != nil {
		watcher.close()
		return nil, err
	}
	s.loaded = first.print
	s.announce(identity, watchErr)
	ctx, s.cancel = context.WithCancel(ctx)
	s.running.Go(func() { s.follow(ctx) })
	return s, nil
}

func (s *FileSource) announce(first *Identity, watchErr error) {
	if watchErr != nil && !errors.Is(watchErr, errors.ErrUnsupported) {
		s.logger.Warn("folders of the certificates cannot be watched, polling alone", "error", watchErr, "interval", s.poll)
	}
	if err := first.verifiesItself(); err != nil {
		s.logger.Warn("the trusted roots do not verify the own certificate: peers that trust the same roots will refuse it",
			"certificate", s.files.cert, "roots", s.files.ca, "error", err)
	}
}

// Close stops following the files and waits until that has ended. The last identity stays available. Closing twice is
// harmless; the error is always nil.
func (s *FileSource) Close() error {
	s.closing.Do(func() {
		s.cancel()
		s.running.Wait()
		s.stop()
	})
	return nil
}

func (s *FileSource) follow(ctx context.Context) {
	defer s.watcher.close()
	ticker := time.NewTicker(s.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.watcher.changed():
		}
		s.look(ctx)
	}
}

// look compares the files with what is in force, and takes or refuses what it finds.
func (s *FileSource) look(ctx context.Context) {
	found := s.files.read()
	if found.print == s.loaded {
		s.restored()
		return
	}
	found, ok := s.settled(ctx, found)
	if !ok {
		return
	}
	if found.print == s.loaded {
		s.restored()
		return
	}
	identity, err := found.identity(time.Now())
	if err != nil {
		s.refuse(fmt.Sprintf("%x %v", found.print, err), err)
		return
	}
	s.loaded = found.print
	s.replace(identity)
}

// settled reads on until two looks agree; false once ctx is done.
func (s *FileSource) settled(ctx context.Context, found contents) (contents, bool) {
	for range settleLimit {
		select {
		case <-ctx.Done():
			return contents{}, false
		case <-time.After(settle):
		}
		next := s.files.read()
		if next.print == found.print {
			return next, true
		}
		found = next
	}
	return found, true
}
