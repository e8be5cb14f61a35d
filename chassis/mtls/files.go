package mtls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// FilesConfig says where [Files] reads. The files are PEM; each may be a symbolic link, as Kubernetes mounts secrets.
type FilesConfig struct {
	// CertFile holds the own certificate, followed by its intermediates if there are any.
	CertFile string
	// KeyFile holds the private key of the certificate, not encrypted.
	KeyFile string
	// CAFile holds the trusted roots, at least one.
	CAFile string
	// CRLFile holds lists of revoked certificates (RFC 5280), in PEM, or one in DER: complete ones, of any authority
	// in a chain. One whose issuer is none of the roots of that name is an error; one that is past its next update
	// goes on counting, and is logged. Empty for none.
	CRLFile string
	// PollInterval is how often the files are read when nothing has announced a change; 1 s if zero or less.
	PollInterval time.Duration
	// Logger and Registerer are told of replacements. Both may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// FileSource is a [Source] that follows files. Make one with [Files].
type FileSource struct {
	inForce
	files   fileSet
	poll    time.Duration
	watcher *watcher
	loaded  fingerprint
	warned  string // what was last said about the files' permissions

	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

// settle is how long the files must stay as they are before they are taken or reported, because a replacement of
// several files has moments in which they do not belong together. A change is taken after settleLimit looks at the
// latest.
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
// the files are looked at again until they are good. So is one with another SPIFFE ID: a service that is to be
// another one is started anew. What is in force is told apart by content, not by time stamps.
//
// Files that users of other groups may write, and a key that they may read, are logged as a warning and used. A key
// in a volume of Kubernetes may be read: the kubelet gives secrets mode 0644 within a folder that the container alone
// sees.
//
// The source follows the files until ctx is done or Close is called.
func Files(ctx context.Context, cfg FilesConfig) (*FileSource, error) {
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = time.Second
	}
	s := &FileSource{files: fileSet{cfg.CertFile, cfg.KeyFile, cfg.CAFile, cfg.CRLFile}, poll: cfg.PollInterval}
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
	s.warn(first)
}

// warn tells of what is in force although it should not stay so.
func (s *FileSource) warn(in *Identity) {
	if list := in.revoked.outdated(time.Now()); list != nil {
		s.logger.Warn("list of revoked certificates is outdated: what it lists stays revoked, what was revoked since is not known",
			"file", s.files.crl, "issuer", list.Issuer.String(), "next_update", list.NextUpdate.UTC().Format(time.RFC3339))
	}
	open := s.files.openToOthers()
	if text := strings.Join(open, ", "); text != s.warned {
		if s.warned = text; text != "" {
			s.logger.Warn("files of the certificates are open to other users: take the rights from them", "files", open)
		}
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
	if s.replace(identity) {
		s.loaded = found.print
		s.warn(identity)
	}
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
