package world

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/std/capnp/rpc"
)

// Names used in Message.From and Message.To, besides those of the daemons.
const (
	OperatorName = "operator"
	InitName     = "initd"
)

// A Message is one RPC message in transit on a link.
type Message struct {
	Facet    string // the link's facet
	From, To string
	Number   int    // from 1; counts this sender's messages to this receiver on links for this facet, across restarts
	What     string // call, return, finish, ...
	Method   uint16 // of a call

	cut func()
}

// Cut ends the message's link at both ends.
func (m Message) Cut() { m.cut() }

// A Tap is called with each message before it is delivered. It may kill processes. It returns whether the message is
// delivered.
type Tap func(Message) (deliver bool)

// A tapping counts a world's messages and calls its tap.
type tapping struct {
	tap Tap

	mu     sync.Mutex
	counts map[[3]string]int
	ends   map[*func()]string // the facet of each open link, by the function that ends it
}

func newTapping(tap Tap) *tapping {
	return &tapping{tap: tap, counts: map[[3]string]int{}, ends: map[*func()]string{}}
}

// sever ends all links for a facet.
func (t *tapping) sever(facet string) {
	t.mu.Lock()
	var ends []*func()
	for end, of := range t.ends {
		if of == facet {
			ends = append(ends, end)
		}
	}
	t.mu.Unlock()
	for _, end := range ends {
		(*end)()
	}
}

// A link describes a link: near uses the facet, far serves it.
type link struct {
	facet, near, far string
}

// splice passes messages between two sockets, both ways, until one of them ends; then it closes both.
func (t *tapping) splice(w link, near, far net.Conn) {
	var end func()
	end = sync.OnceFunc(func() {
		near.Close()
		far.Close()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.ends, &end)
	})
	t.mu.Lock()
	t.ends[&end] = w.facet
	t.mu.Unlock()
	pass := func(from, to string, in, out net.Conn) {
		defer end()
		for {
			frame, err := readFrame(in)
			if err != nil {
				return
			}
			m := t.number(w.facet, from, to, frame)
			m.cut = end
			if !t.tap(m) {
				continue
			}
			if _, err := out.Write(frame); err != nil {
				return
			}
		}
	}
	go pass(w.near, w.far, near, far)
	go pass(w.far, w.near, far, near)
}

func (t *tapping) number(facet, from, to string, frame []byte) Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := [3]string{facet, from, to}
	t.counts[key]++
	m := Message{Facet: facet, From: from, To: to, Number: t.counts[key]}
	m.What, m.Method = describe(frame)
	return m
}

// describe returns the kind of a message and, for a call, its method.
func describe(frame []byte) (string, uint16) {
	msg, err := capnp.Unmarshal(frame)
	if err != nil {
		return "broken", 0
	}
	m, err := rpc.ReadRootMessage(msg)
	if err != nil {
		return "broken", 0
	}
	if m.Which() != rpc.Message_Which_call {
		return m.Which().String(), 0
	}
	call, err := m.Call()
	if err != nil {
		return "broken", 0
	}
	return "call", call.MethodId()
}

// readFrame reads one message with its segment table. It has no bounds, because both ends are our own daemons.
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	segments := int(binary.LittleEndian.Uint32(head)) + 1
	words := int(binary.LittleEndian.Uint32(head[4:]))
	if rest := segments / 2 * 8; rest > 0 {
		more := make([]byte, rest)
		if _, err := io.ReadFull(r, more); err != nil {
			return nil, err
		}
		for i := range segments - 1 {
			words += int(binary.LittleEndian.Uint32(more[4*i:]))
		}
		head = append(head, more...)
	}
	frame := append(head, make([]byte, 8*words)...)
	_, err := io.ReadFull(r, frame[len(head):])
	return frame, err
}
