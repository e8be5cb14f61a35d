package mtls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
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

// store is the folder of a development authority. Several processes use it at once: they write under its lock and by
// renaming whole files, so that reading needs no lock.
type store struct {
	dir    string
	logger *slog.Logger
}

func (s *store) path(name string) string { return filepath.Join(s.dir, name) }

// open returns the authority, made anew where there is none or where it nears its end, and brings the files beside it
// up to date.
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

// secure makes the folder, and takes other users' rights from what is there already. What others could have written is
// refused, because the authority in it may be theirs.
func (s *store) secure() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("mtls: cannot make the folder of the development authority, set XDG_STATE_HOME to one that can be written: %w", err)
	}
	_, err := os.Stat(s.path(authorityFile))
	inUse := err == nil
	if err := s.restrict(s.dir, 0o700, inUse); err != nil {
		return err
	}
	for _, name := range []string{authorityFile, clientKeyFile} {
		if err := s.restrict(s.path(name), 0o600, true); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// restrict takes the rights of others from path. If holdsTrust, it is an error that they could write there.
func (s *store) restrict(path string, mode fs.FileMode, holdsTrust bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("mtls: development authority: %w", err)
	}
	has := info.Mode().Perm()
	switch {
	case !permissions || has&0o077 == 0:
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
	data, err := os.ReadFile(s.path(authorityFile))
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

// publish writes what tools read: the roots, and a fresh client certificate if the one there is not good for long.
func (s *store) publish(a *authority, now time.Time) error {
	roots := marshalCertificate(a.cert.Raw)
	if onDisk, err := os.ReadFile(s.path(rootsFile)); err != nil || !bytes.Equal(onDisk, roots) {
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
	return tls.LoadX509KeyPair(s.path(clientCertFile), s.path(clientKeyFile))
}

// clientDue reports whether the client certificate is missing, damaged, or past two thirds of its life.
func (s *store) clientDue(now time.Time) bool {
	client, err := s.client()
	return err != nil || now.After(renewalOf(client.Leaf)) || now.Before(client.Leaf.NotBefore)
}

// clientKey returns the client's key, made if there is none that is good. It outlives its certificates, so that a tool
// that reads both files during a renewal still gets a pair.
func (s *store) clientKey() (crypto.Signer, error) {
	if data, err := os.ReadFile(s.path(clientKeyFile)); err == nil {
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
