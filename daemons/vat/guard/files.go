package guard

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Files is where the descriptor lies that a peer sent beside its messages, until somebody takes it. It holds one, the
// last that came; what is not taken is closed, at the latest with the connection.
type Files struct {
	mu   sync.Mutex
	last *os.File
	over bool
}

// AcceptFiles lets the peer send descriptors, if the stream is a unix socket. Without it the kernel closes what a peer
// sends.
func AcceptFiles(files *Files) Option { return func(g *Guard) { g.files = files } }

// Take returns the descriptor that came last, for the caller to close; nil when there is none. A message is never seen
// before the descriptor that was sent with its first byte.
func (f *Files) Take() *os.File {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.last
	f.last = nil
	return last
}

func (f *Files) put(file *os.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last != nil {
		f.last.Close()
	}
	f.last = file
	if f.over {
		file.Close()
		f.last = nil
	}
}

// close ends the accepting.
func (f *Files) close() {
	if f == nil {
		return
	}
	if last := f.Take(); last != nil {
		last.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

// read is the stream's Read, which notices a descriptor where one may come.
func (g *Guard) read(p []byte) (int, error) {
	socket, ok := g.stream.(*net.UnixConn)
	if g.files == nil || !ok {
		return g.stream.Read(p)
	}
	// room for one; the kernel closes the others, but for what the padding holds
	rights := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := socket.ReadMsgUnix(p, rights)
	if oobn > 0 {
		g.files.receive(rights[:oobn])
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return max(n, 0), err // it is -1 when a deadline ends the read
}

// receive takes the descriptors out of a control message. Whatever else is in it is nothing to us.
func (f *Files) receive(rights []byte) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			f.put(os.NewFile(uintptr(fd), "handed"))
		}
	}
}

// Attach has the file leave with the first bytes that are written from now on. The caller keeps it open until they are.
// On a stream that carries no files it is errors.ErrUnsupported.
func (g *Guard) Attach(f *os.File) error {
	if _, ok := g.stream.(*net.UnixConn); !ok {
		return errors.ErrUnsupported
	}
	g.out.mu.Lock()
	defer g.out.mu.Unlock()
	g.out.attached = f
	return nil
}

// writeAttached writes as much of the first buffer as leaves together with the file. The lock is held.
func (w *writer) writeAttached(all net.Buffers) (net.Buffers, error) {
	f, socket := w.attached, w.stream.(*net.UnixConn)
	w.attached = nil
	n, _, err := socket.WriteMsgUnix(all[0], syscall.UnixRights(int(f.Fd())), nil)
	all[0] = all[0][n:]
	return all, err
}
