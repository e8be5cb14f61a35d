package leakcheck_test

import (
	"strings"
	"testing"

	"github.com/betmakers/paddock/internal/leakcheck"
)

func TestGroupFindsWhatItsGoroutinesStarted(t *testing.T) {
	t.Parallel() // a group is not confused by others
	release, grandchild := make(chan struct{}), make(chan struct{})
	group := leakcheck.NewGroup()
	group.Do(func() {
		go func() {
			go leftBehind(release, grandchild)
		}()
	})
	left := group.Left()
	if len(left) != 1 || !strings.Contains(left[0], "leftBehind") {
		t.Errorf("got %q, want the goroutine in leftBehind", left)
	}
	close(release)
	<-grandchild
	if left := group.Left(); len(left) != 0 {
		t.Errorf("got %q after it ended, want none", left)
	}
}

func TestGroupDoesNotCountOthers(t *testing.T) {
	t.Parallel()
	release, ended := make(chan struct{}), make(chan struct{})
	group, other := leakcheck.NewGroup(), leakcheck.NewGroup()
	other.Do(func() { go leftBehind(release, ended) })
	group.Do(func() {})
	if left := group.Left(); len(left) != 0 {
		t.Errorf("got %q, want none: the goroutine is another group's", left)
	}
	close(release)
	<-ended
}

func leftBehind(release <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	<-release
}
