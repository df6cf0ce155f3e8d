package vat

import "sync"

// A Notifier wakes goroutines that wait for a change. Changes between two waits are merged. The zero value is ready to
// use.
type Notifier struct {
	mu   sync.Mutex
	wake chan struct{} // nil: nobody waits
}

// NewNotifier returns a Notifier.
func NewNotifier() *Notifier { return &Notifier{} }

// Notify wakes all current waiters.
func (n *Notifier) Notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake != nil {
		close(n.wake)
		n.wake = nil
	}
}

// Next returns a channel that is closed at the next change. Call it before looking at the state that may change.
func (n *Notifier) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake == nil {
		n.wake = make(chan struct{})
	}
	return n.wake
}
