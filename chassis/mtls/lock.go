package mtls

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errLocked is what tryLock returns while somebody else holds the lock.
var errLocked = errors.New("held by another process")

// lockPatience is far more than the milliseconds for which a lock is held, so running out of it means a holder that hangs.
const lockPatience = 10 * time.Second

// lock takes the lock file at path, made if missing, and waits for it for up to 10 s or until ctx is done.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		unlock, err := tryLock(path)
		if err == nil {
			return unlock, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot lock %s: %w: %w", path, err, ctx.Err())
		case <-time.After(pause):
		}
	}
}
