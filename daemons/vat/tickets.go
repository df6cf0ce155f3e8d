package vat

import (
	"fmt"
	"os"
	"sync"
)

// Tickets match sockets that initd sends over the endowment channel with the calls that asked for them.
type Tickets struct {
	mu       sync.Mutex
	number   uint64
	expected map[string]chan *os.File // by ticket
}

// Take receives a socket, for Endowments.OnSocket. One that nobody waits for is closed.
func (t *Tickets) Take(ticket string, socket *os.File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case t.expected[ticket] <- socket: // never of a nil channel
	default:
		socket.Close()
	}
}

// Expect begins to wait for up to n sockets with a ticket of their own; forget ends that.
func (t *Tickets) Expect(n int) (ticket string, arrived <-chan *os.File, forget func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
	ticket = fmt.Sprint(t.number)
	sockets := make(chan *os.File, n)
	if t.expected == nil {
		t.expected = map[string]chan *os.File{}
	}
	t.expected[ticket] = sockets
	return ticket, sockets, func() { t.forget(ticket, sockets) }
}

func (t *Tickets) forget(ticket string, arrived <-chan *os.File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.expected, ticket)
	for {
		select {
		case socket := <-arrived:
			socket.Close()
		default:
			return
		}
	}
}
