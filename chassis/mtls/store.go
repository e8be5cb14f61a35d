package mtls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// The files of a store.
const (
	authorityFile  = "ca.key"     // key and certificate of the authority, private
	rootsFile      = "ca.pem"     // its certificate alone
	clientCertFile = "client.pem" // the developer's client certificate
	clientKeyFile  = "client.key" // and its key, private
	lockFile       = "lock"
)

// clientName is the identity of the developer's own clients.
const clientName = "developer"

// store is the folder of a development authority. Several processes use it concurrently. They
// write under its lock and replace whole files by renaming, so that reading needs no lock.
type store struct {
	dir    string
	logger *slog.Logger
}

func (s *store) path(name string) string { return filepath.Join(s.dir, name) }

// open returns the authority, and makes a new one if there is none or if it is near its end. It
// updates the other files.
func (s *store) open(ctx context.Context, now time.Time) (*authority, error) {
	if err := s.secure(); err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, s.path(lockFile))
	if err != nil {
		return nil, fmt.Errorf("mtls: development authority in %s: %w", s.dir, err)
	}
	defer unlock()
	a, err := s.authority(now)
	if err != nil {
		return nil, err
	}
	if err := s.publish(a, now); err != nil {
		return nil, fmt.Errorf("mtls: development authority in %s: %w", s.dir, err)
	}
	return a, nil
}

// secure makes the folder, or removes other users' rights from an existing one. It rejects files
// that others could have written, because the authority may then be theirs, and files that belong
// to others or are links.
func (s *store) secure() error {
	if err := s.checkParent(); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("mtls: cannot make the folder of the development authority, set XDG_STATE_HOME to one that can be written: %w", err)
	}
	_, err := os.Lstat(s.path(authorityFile))
	inUse := err == nil
	if err := s.restrict(s.dir, fs.ModeDir, 0o700, inUse); err != nil {
		return err
	}
	for _, name := range []string{authorityFile, clientKeyFile, rootsFile, clientCertFile, lockFile} {
		var mode fs.FileMode = 0o600
		if name == rootsFile || name == clientCertFile {
			mode = 0o644
		}
		if err := s.restrict(s.path(name), 0, mode, true); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkParent prevents root from making files where another user has control, for example in that
// user's home after sudo -E.
func (s *store) checkParent() error {
	if !permissions || os.Geteuid() != 0 {
		return nil
	}
	for dir := s.dir; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil && dir != filepath.Dir(dir) {
			continue
		}
		if err != nil {
			return fmt.Errorf("mtls: development authority: %w", err)
		}
		return s.checkOwner(dir, info)
	}
}

func (s *store) checkOwner(path string, info fs.FileInfo) error {
	if has, own := owner(info), os.Geteuid(); permissions && has != own {
		return fmt.Errorf("mtls: %s belongs to user %d and this process runs as %d: a development authority is trusted from a folder of one's own alone; "+
			"set XDG_STATE_HOME to one", path, has, own)
	}
	return nil
}

// restrict removes the rights of others from path, which must be of the kind and owned by this
// user. With holdsTrust, it fails if others had the right to write there.
func (s *store) restrict(path string, kind, mode fs.FileMode, holdsTrust bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("mtls: development authority: %w", err)
	}
	if info.Mode().Type() != kind {
		return fmt.Errorf("mtls: %s is %s, where a development authority has a folder with plain files: delete it and start again", path, info.Mode().Type())
	}
	if err := s.checkOwner(path, info); err != nil {
		return err
	}
	has := info.Mode().Perm()
	switch {
	case !permissions || has&0o077&^mode == 0:
		return nil
	case holdsTrust && has&0o022 != 0:
		return fmt.Errorf("mtls: %s has mode %04o, so others could have changed the development authority: delete the folder %s and start again", path, has, s.dir)
	}
	s.logger.Warn("development authority was open to others, permissions tightened", "path", path, "had", fmt.Sprintf("%04o", has), "has", fmt.Sprintf("%04o", mode))
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("mtls: development authority: %w", err)
	}
	return nil
}

func (s *store) authority(now time.Time) (*authority, error) {
	data, err := readPlain(s.path(authorityFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.create(now, "made")
	case err != nil:
		return nil, fmt.Errorf("mtls: development authority: %w", err)
	}
	a, err := parseAuthority(data)
	if err != nil {
		return nil, fmt.Errorf("mtls: development authority is damaged, delete %s and start again: %w", s.path(authorityFile), err)
	}
	if a.nearEnd(now) {
		return s.create(now, "made anew, the old one was near its end")
	}
	return a, nil
}

func (s *store) create(now time.Time, what string) (*authority, error) {
	a, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	if err := writeFile(s.path(authorityFile), a.pem, 0o600); err != nil {
		return nil, fmt.Errorf("mtls: development authority: %w", err)
	}
	s.logger.Info("development authority "+what, "dir", s.dir, "not_after", a.cert.NotAfter.UTC().Format(time.RFC3339))
	return a, nil
}

// publish writes the files for tools: the roots, and a new client certificate if the present one
// expires soon.
func (s *store) publish(a *authority, now time.Time) error {
	roots := marshalCertificate(a.cert.Raw)
	if onDisk, err := readPlain(s.path(rootsFile)); err != nil || !bytes.Equal(onDisk, roots) {
		if err := writeFile(s.path(rootsFile), roots, 0o644); err != nil {
			return err
		}
	}
	if client, err := s.client(); err == nil && client.Leaf.CheckSignatureFrom(a.cert) == nil && !s.clientDue(now) {
		return nil
	}
	key, err := s.clientKey()
	if err != nil {
		return err
	}
	id, err := developmentID(clientName)
	if err != nil {
		return err
	}
	cert, err := a.issue(key, id, nil, now)
	if err != nil {
		return err
	}
	return writeFile(s.path(clientCertFile), marshalCertificate(cert.Certificate[0]), 0o644)
}

func (s *store) client() (tls.Certificate, error) {
	cert, err := readPlain(s.path(clientCertFile))
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readPlain(s.path(clientKeyFile))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// clientDue reports whether the client certificate is missing, damaged, or past two thirds of its
// life.
func (s *store) clientDue(now time.Time) bool {
	client, err := s.client()
	return err != nil || now.After(renewalOf(client.Leaf)) || now.Before(client.Leaf.NotBefore)
}

// clientKey returns the client's key, and makes one if there is no valid key. It outlives its
// certificates, so that a tool that reads both files during a renewal still gets a matching pair.
func (s *store) clientKey() (crypto.Signer, error) {
	if data, err := readPlain(s.path(clientKeyFile)); err == nil {
		if key, err := parseKey(data); err == nil {
			return key, nil
		}
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	data, err := marshalKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeFile(s.path(clientKeyFile), data, 0o600)
}

// readPlain reads a file that is not a link.
func readPlain(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, fileLimit))
}

// writeFile replaces the file at path as a whole.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}
