package vat

import (
	"net"
	"os"
	"sync"
	"syscall"

	"nexus/daemons/vat/guard"
)

// maxQueued bounds the packets queued for a daemon, besides those that the kernel buffers. A start needs a few dozen,
// the restart of a neighbour a few more, and each lookup by a bundle of a facet that the daemon serves needs one.
const maxQueued = 512

// An outbox queues what is granted to a daemon until the daemon reads it, so that granting never waits for the daemon.
type outbox struct {
	overflowed chan struct{} // closed when something was lost because the daemon does not read its channel
	woken      chan struct{} // there is something to send, or the outbox has ended

	mu    sync.Mutex
	queue []parcel
	over  bool // nothing more is sent
}

// A parcel is one packet and the descriptor that goes with it, which the parcel owns.
type parcel struct {
	packet []byte
	file   *os.File // nil if there is none
}

func newOutbox() *outbox {
	return &outbox{overflowed: make(chan struct{}), woken: make(chan struct{}, 1)}
}

// put queues the endowment. The caller keeps e.File. What is granted to a daemon that has died is dropped: its next
// instance gets everything in its row of the authority table.
func (o *outbox) put(e grant) error {
	p, err := pack(e)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.over:
		p.drop()
		return nil
	case len(o.queue) == maxQueued:
		p.drop()
		o.end()
		close(o.overflowed)
		return nil
	}
	o.queue = append(o.queue, p)
	o.wake()
	return nil
}

// maxBehind is the number of queued packets from which on a daemon counts as behind.
const maxBehind = 64

func (o *outbox) behind() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) >= maxBehind
}

// run sends parcels until the channel or the outbox ends.
func (o *outbox) run(channel *net.UnixConn) {
	for range o.woken {
		for {
			p, more := o.next()
			if !more {
				break
			}
			if err := p.send(channel); err != nil {
				o.close()
				return
			}
		}
		if o.ended() {
			return
		}
	}
}

// next removes the oldest parcel.
func (o *outbox) next() (p parcel, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return parcel{}, false
	}
	p = o.queue[0]
	o.queue = append(o.queue[:0], o.queue[1:]...)
	return p, true
}

func (o *outbox) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// close ends the outbox and drops what has not been sent.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.end()
	}
}

// end is close without the lock, which the caller holds.
func (o *outbox) end() {
	o.over = true
	for _, p := range o.queue {
		p.drop()
	}
	o.queue = nil
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.woken <- struct{}{}:
	default:
	}
}

// pack makes a parcel with its own copy of the descriptor.
func pack(e grant) (parcel, error) {
	packet, err := e.packet()
	if err != nil || e.File == nil {
		return parcel{packet: packet}, err
	}
	copied, err := guard.Duplicate(e.File)
	return parcel{packet, copied}, err
}

// send sends the parcel; it waits for room on the channel.
func (p parcel) send(channel *net.UnixConn) error {
	defer p.drop()
	var rights []byte
	if p.file != nil {
		rights = syscall.UnixRights(int(p.file.Fd()))
	}
	_, _, err := channel.WriteMsgUnix(p.packet, rights, nil)
	return err
}

func (p parcel) drop() {
	if p.file != nil {
		p.file.Close()
	}
}
