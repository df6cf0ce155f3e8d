package ocitest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A Line is a proxy in front of a registry. It counts what the registry sends, and does something when it has sent so
// much.
type Line struct {
	listener net.Listener
	To       string // whom it leads to

	mu    sync.Mutex
	sent  int64
	due   int64 // when that many bytes were sent, at is done; 0: it has been done
	at    func()
	conns map[net.Conn]bool
	down  bool
	vain  int // how many connections the registry did not take
}

// NewLine starts a line that ends with the test.
func NewLine(t testing.TB, to string) *Line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{listener: listener, To: to, conns: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.serve(conn)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		l.Cut()
	})
	return l
}

// Host returns its address and port.
func (l *Line) Host() string { return l.listener.Addr().String() }

func (l *Line) serve(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.To)
	if err != nil {
		l.mu.Lock()
		l.vain++
		l.mu.Unlock()
	}
	if err != nil || !l.hold(near) {
		return
	}
	defer far.Close()
	// what is under way here counts as sent
	_ = near.(*net.TCPConn).SetWriteBuffer(64 << 10)
	go func() {
		defer far.Close()
		_, _ = io.Copy(far, near)
	}()
	_, _ = io.CopyBuffer(struct{ io.Writer }{counter{l, near}}, struct{ io.Reader }{far}, make([]byte, 16<<10))
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, near)
}

func (l *Line) hold(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	return !l.down
}

// Cut breaks all connections.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
}

// Turn takes the line down, or puts it up again.
func (l *Line) Turn(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
	if down {
		l.Cut()
	}
}

// When has something done once so many bytes were sent. The bytes after them wait for it.
func (l *Line) When(sent int64, do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due, l.at = sent, do
}

// Total returns how many bytes the registry has sent.
func (l *Line) Total() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// Refused returns how many connections the registry did not take.
func (l *Line) Refused() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.vain
}

type counter struct {
	line *Line
	to   io.Writer
}

func (c counter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.line.mu.Lock()
	c.line.sent += int64(n)
	var do func()
	if c.line.due > 0 && c.line.sent >= c.line.due {
		c.line.due, do = 0, c.line.at
	}
	c.line.mu.Unlock()
	if do != nil {
		do()
	}
	return n, err
}
