package guard

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Files holds the last descriptor that a peer sent beside its messages, until Take returns it. A descriptor that is not
// taken is closed when the next one arrives or the connection ends.
type Files struct {
	mu   sync.Mutex
	last *os.File
	over bool
}

// AcceptFiles lets the peer send descriptors, if the stream is a unix socket. Without this option the kernel discards
// them.
func AcceptFiles(files *Files) Option { return func(g *Guard) { g.files = files } }

// Take returns the last descriptor that arrived, which the caller closes, or nil if there is none. A descriptor arrives
// no later than the message whose first byte it was sent with.
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
	if f.over {
		file.Close()
		return
	}
	if f.last != nil {
		f.last.Close()
	}
	f.last = file
}

// close closes the descriptor and accepts no more.
func (f *Files) close() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if f.last != nil {
		f.last.Close()
		f.last = nil
	}
}

// receive reads from the stream, and takes descriptors if the connection accepts them.
func (r *reader) receive(p []byte) (int, error) {
	socket, ok := r.stream.(*net.UnixConn)
	if r.files == nil || !ok {
		return r.stream.Read(p)
	}
	// Room for one descriptor, and for those that fit into the padding; the kernel closes the rest.
	rights := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := socket.ReadMsgUnix(p, rights)
	if oobn > 0 {
		r.files.receive(rights[:oobn])
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return max(n, 0), err // n is -1 if a deadline ended the read
}

// receive takes the descriptors out of control messages, and ignores all other kinds.
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

// Take returns the last descriptor that the peer sent, as Files.Take does. It returns nil unless AcceptFiles is set.
func (g *Guard) Take() *os.File { return g.files.Take() }

// Attach sends a copy of f along with the next bytes written, in place of one that has not been sent yet. Attach
// returns errors.ErrUnsupported if the stream cannot carry files.
func (g *Guard) Attach(f *os.File) error {
	if _, ok := g.stream.(*net.UnixConn); !ok {
		return errors.ErrUnsupported
	}
	copied, err := Duplicate(f)
	if err != nil {
		return err
	}
	g.out.mu.Lock()
	defer g.out.mu.Unlock()
	g.out.detach()
	g.out.attached = copied
	return nil
}

// Duplicate returns another descriptor of an open file.
func Duplicate(f *os.File) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// detach closes the file that has not been sent. The lock is held.
func (w *writer) detach() {
	if w.attached != nil {
		w.attached.Close()
		w.attached = nil
	}
}

// writeAttached writes the start of the first buffer together with the file, and returns what is left to write. The
// lock is held.
func (w *writer) writeAttached(all net.Buffers) (net.Buffers, error) {
	f, socket := w.attached, w.stream.(*net.UnixConn)
	defer w.detach()
	n, _, err := socket.WriteMsgUnix(all[0], syscall.UnixRights(int(f.Fd())), nil)
	all[0] = all[0][n:]
	return all, err
}
