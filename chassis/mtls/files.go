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

// FilesConfig configures [Files]. The files are PEM. Each may be a symbolic link, as in
// Kubernetes' mounts of secrets.
type FilesConfig struct {
	// CertFile has the service's certificate, followed by its intermediates, if any. Required.
	CertFile string
	// KeyFile has the private key of the certificate, unencrypted. Required.
	KeyFile string
	// CAFile has the trusted roots, at least one. Required.
	CAFile string
	// CRLFile has complete lists of revoked certificates (RFC 5280) of any authority in a chain:
	// several in PEM, or one in DER. A list in the name of one of the roots that this root has
	// not signed is an error. A list past its next update stays in force and is logged. Empty
	// means no lists.
	CRLFile string
	// PollInterval is the interval at which the files are read if no change was announced. Zero
	// or less means 1 s.
	PollInterval time.Duration
	// Logger logs replacements, Registerer registers their metrics. Both may be nil.
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

// settle is the time without changes before files are used or reported, because the replacement
// of several files is not atomic. After settleLimit looks, a change is used in any case.
const (
	settle      = 100 * time.Millisecond
	settleLimit = 8
)

// Files returns a source of the certificates in the files of cfg. It follows the files until ctx
// ends or Close is called. A missing, broken, mismatched or expired file is an error that names
// the file. If the roots do not verify the service's own certificate, this is only logged,
// because some services have a certificate from another authority than their clients.
//
// Replacements:
//
//   - A replacement, by any method, is in force within PollInterval plus 0.9 s. On Linux it
//     usually takes 0.1 s, because the folders of the files are watched too. Contents are
//     compared, not time stamps.
//   - Files that would be an error at the start change nothing. They are reported once, and read
//     again until they are good.
//   - A certificate with another SPIFFE ID is reported and not used. To change the identity of a
//     service, restart it.
//
// Files that users of other groups may write, and a key that they may read, are logged as a
// warning and used. A readable key in a Kubernetes volume is not logged: the kubelet gives
// secrets mode 0644, in a folder that only the container can see.
func Files(ctx context.Context, cfg FilesConfig) (*FileSource, error) {
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = time.Second
	}
	s := &FileSource{files: fileSet{cfg.CertFile, cfg.KeyFile, cfg.CAFile, cfg.CRLFile}, poll: cfg.PollInterval}
	if err := s.files.named(); err != nil {
		return nil, err
	}
	// Watch before the first look. Otherwise a replacement between the two would wait for a poll.
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

// warn logs problems of the identity in force.
func (s *FileSource) warn(in *Identity) {
	if list := in.revoked.outdated(time.Now()); list != nil {
		s.logger.Warn("list of revoked certificates is outdated: what it lists stays revoked, what was revoked since is not known",
			"file", s.files.crl, "issuer", list.Issuer.String(), "next_update", list.NextUpdate.UTC().Format(time.RFC3339))
	}
	if len(in.skipped) > 0 {
		s.logger.Warn("certificates of the trusted roots are skipped for a negative serial number, and peers of these authorities are refused: take them out of the file, or have them issued again",
			"roots", s.files.ca, "certificates", in.skipped)
	}
	open := s.files.openToOthers()
	if text := strings.Join(open, ", "); text != s.warned {
		if s.warned = text; text != "" {
			s.logger.Warn("files of the certificates are open to other users: take the rights from them", "files", open)
		}
	}
}

// Close stops following the files and waits for the end of a running look. The last identity
// stays available. Further calls do nothing. The error is always nil.
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

// look compares the files with the identity in force, and uses or rejects new contents.
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

// settled reads the files until two looks agree. It returns false if ctx ends.
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
