package updated

import (
	"context"
	"sync"

	"nexus/capnpgen/update"
)

// followers are woken at each change. The zero value has none.
type followers struct {
	mu    sync.Mutex
	wakes map[*subscription]chan struct{}
}

func (f *followers) notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, wake := range f.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (f *followers) add(s *subscription) <-chan struct{} {
	wake := make(chan struct{}, 1)
	wake <- struct{}{} // the first word is the state now
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wakes == nil {
		f.wakes = map[*subscription]chan struct{}{}
	}
	f.wakes[s] = wake
	return wake
}

func (f *followers) remove(s *subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wakes, s)
}

// A subscription keeps one observer informed as long as it is held.
type subscription struct {
	cancel context.CancelFunc
}

// Shutdown runs when the subscriber dropped it, or died.
func (s *subscription) Shutdown() { s.cancel() }

// follow takes an observer over and tells it of each change, the newest state only: an observer that is slow skips states. One that does
// not answer costs the one call it does not answer, until its connection or its subscription ends.
func (e *engine) follow(observer update.StatusObserver) update.StatusSubscription {
	ctx, cancel := context.WithCancel(context.Background())
	s := &subscription{cancel: cancel}
	wake := e.followers.add(s)
	go func() {
		defer observer.Release()
		defer e.followers.remove(s)
		for {
			select {
			case <-wake:
				if e.tell(ctx, observer) != nil {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return update.StatusSubscription_ServerToClient(s)
}
