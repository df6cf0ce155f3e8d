package vat

import "sync"

// A Notifier wakes whoever waits for a change. Changes between two waits are one.
type Notifier struct {
	mu   sync.Mutex
	wake chan struct{}
}

// NewNotifier returns one that nobody waits for yet.
func NewNotifier() *Notifier { return &Notifier{wake: make(chan struct{})} }

// Notify wakes all who wait now.
func (n *Notifier) Notify() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.wake)
	n.wake = make(chan struct{})
}

// Next returns a channel that is closed at the next change. Take it before looking at what may change.
func (n *Notifier) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wake
}
