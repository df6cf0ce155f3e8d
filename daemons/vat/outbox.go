package vat

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
)

// maxUntaken bounds the packets that wait for a daemon to take those before them, beside what the kernel keeps of a
// channel. A start has a few dozen, the restart of a neighbour a few more, and each bundle that looks up what a daemon
// serves one.
const maxUntaken = 512

// An outbox keeps what a daemon is granted until the daemon takes it, so that whoever grants waits for no daemon.
type outbox struct {
	stuffed chan struct{} // closed when something was lost because the daemon takes nothing
	kicked  chan struct{} // there is something to send, or it is over

	mu      sync.Mutex
	untaken []parcel
	over    bool // nothing is sent any more
}

// A parcel is one packet and the descriptor that goes with it, which is its own.
type parcel struct {
	packet []byte
	file   *os.File // nil: none
}

func newOutbox() *outbox {
	return &outbox{stuffed: make(chan struct{}), kicked: make(chan struct{}, 1)}
}

// put has the endowment sent after those before it. The caller keeps e.File. What is put for a daemon that has died is
// dropped: its next life gets all that its row says.
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
	case len(o.untaken) == maxUntaken:
		p.drop()
		o.end()
		close(o.stuffed)
		return nil
	}
	o.untaken = append(o.untaken, p)
	o.kick()
	return nil
}

// maxOffered is how many packets may wait for an offer to be put behind them.
const maxOffered = 64

// offer is put, but for when so much is untaken that the daemon may not be well.
func (o *outbox) offer(e grant) error {
	o.mu.Lock()
	waiting := len(o.untaken)
	o.mu.Unlock()
	if waiting >= maxOffered {
		return errors.New("cannot hand over: the daemon takes nothing")
	}
	return o.put(e)
}

// run sends until the channel or the outbox ends.
func (o *outbox) run(channel *net.UnixConn) {
	for range o.kicked {
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

// next takes the oldest parcel out.
func (o *outbox) next() (p parcel, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.untaken) == 0 {
		return parcel{}, false
	}
	p = o.untaken[0]
	o.untaken = append(o.untaken[:0], o.untaken[1:]...)
	return p, true
}

func (o *outbox) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// close drops what has not been sent.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.end()
	}
}

// end drops what has not been sent. The lock is held.
func (o *outbox) end() {
	o.over = true
	for _, p := range o.untaken {
		p.drop()
	}
	o.untaken = nil
	o.kick()
}

func (o *outbox) kick() {
	select {
	case o.kicked <- struct{}{}:
	default:
	}
}

// pack makes a parcel with a descriptor of its own.
func pack(e grant) (parcel, error) {
	packet, err := e.packet()
	if err != nil || e.File == nil {
		return parcel{packet: packet}, err
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(e.File.Fd()))
	if err != nil {
		return parcel{}, err
	}
	syscall.CloseOnExec(fd)
	return parcel{packet, os.NewFile(uintptr(fd), "granted")}, nil
}

// send sends the parcel, as soon as there is room on the channel.
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
