package mtls

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errLocked reports that another process holds the lock.
var errLocked = errors.New("held by another process")

// lockPatience is far longer than the milliseconds for which a lock is held. A longer wait means
// that its holder hangs.
const lockPatience = 10 * time.Second

// lock locks the file at path, which it makes if missing. It waits up to 10 s or until ctx ends.
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
