package vat

import "sync"

// A Notifier wakes whoever waits for a change. Changes between two waits are one. The zero value is one that nobody
// waits for yet.
type Notifier struct {
	mu   sync.Mutex
	wake chan struct{} // nil: nobody waits
}

// NewNotifier returns one that nobody waits for yet.
func NewNotifier() *Notifier { return &Notifier{} }

// Notify wakes all who wait now.
func (n *Notifier) Notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake != nil {
		close(n.wake)
		n.wake = nil
	}
}

// Next returns a channel that is closed at the next change. Take it before looking at what may change.
func (n *Notifier) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wake == nil {
		n.wake = make(chan struct{})
	}
	return n.wake
}
