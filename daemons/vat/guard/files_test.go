package guard_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"
	rpccp "capnproto.org/go/capnp/v3/std/capnp/rpc"

	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// named returns a file that contains its own name.
func named(t *testing.T, name string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contentOf(t *testing.T, f *os.File) string {
	t.Helper()
	if f == nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 100))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestFileComesWithACall attaches files to calls: each is available when its call is answered, and one that is not
// taken is replaced by the next.
func TestFileComesWithACall(t *testing.T) {
	ours, theirs := sockets(t)
	files := &guard.Files{}
	served := vat.Connect(ours, object(), guard.AcceptFiles(files))
	defer served.Close()
	conn := vat.Connect(theirs, capnp.Client{})
	defer conn.Close()
	client, err := conn.Bootstrap(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	say := func() {
		t.Helper()
		answer, release := send(context.Background(), client, echo,
			func(s capnp.Struct) error { return s.SetData(1, make([]byte, 100<<10)) })
		defer release()
		if _, err := answer.Struct(); err != nil {
			t.Fatal(err)
		}
	}
	say()
	if got := contentOf(t, files.Take()); got != "" {
		t.Errorf("got %q before anything was sent", got)
	}
	for _, name := range []string{"one", "two", "three"} {
		if err := conn.Attach(named(t, name)); err != nil {
			t.Fatal(err)
		}
		say()
		if name == "one" {
			continue // not taken
		}
		if got := contentOf(t, files.Take()); got != name {
			t.Errorf("got %q, want %q", got, name)
		}
		if got := contentOf(t, files.Take()); got != "" {
			t.Errorf("got %q again", got)
		}
	}
}

// TestFileComesWithAnAnswer has a server attach a file before it answers: the file is available with the answer.
func TestFileComesWithAnAnswer(t *testing.T) {
	ours, theirs := sockets(t)
	served := vat.Connect(ours, object())
	defer served.Close()
	files := &guard.Files{}
	conn := vat.Connect(theirs, capnp.Client{}, guard.AcceptFiles(files))
	defer conn.Close()
	client, err := conn.Bootstrap(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Release()
	for _, name := range []string{"one", "two"} {
		f := named(t, name)
		if err := served.Attach(f); err != nil {
			t.Fatal(err)
		}
		f.Close() // a copy is sent
		answer, release := send(context.Background(), client, echo,
			func(s capnp.Struct) error { return s.SetData(1, []byte("x")) })
		if _, err := answer.Struct(); err != nil {
			t.Fatal(err)
		}
		release()
		if got := contentOf(t, files.Take()); got != name {
			t.Errorf("got %q, want %q", got, name)
		}
	}
}

// TestUnsentFilesAreClosed attaches files to a connection on which nothing more is sent: one of them is held, and none
// once the connection has ended.
func TestUnsentFilesAreClosed(t *testing.T) {
	f := named(t, "unsent")
	start := descriptors(t)
	ours, theirs := sockets(t)
	conn := vat.Connect(theirs, capnp.Client{})
	before := descriptors(t)
	for range 3 {
		if err := conn.Attach(f); err != nil {
			t.Fatal(err)
		}
	}
	if got := descriptors(t); got != before+1 {
		t.Errorf("%d descriptors, want %d", got, before+1)
	}
	ours.Close()
	conn.Close()
	for deadline := time.Now().Add(time.Minute); descriptors(t) != start; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors after the end, want %d", descriptors(t), start)
		}
	}
}

// TestFloodOfFiles sends many descriptors, one by one and at once: a connection that accepts files holds one of them
// while it lasts, and none afterwards; a connection that does not accept files holds none.
func TestFloodOfFiles(t *testing.T) {
	f := named(t, "flood")
	for _, accepted := range []bool{true, false} {
		start := descriptors(t)
		files := &guard.Files{}
		var options []guard.Option
		if accepted {
			options = append(options, guard.AcceptFiles(files))
		}
		conn, p, _ := serve(t, options...)
		p.bootstrap()
		before := descriptors(t)
		for i := range uint32(50) {
			fds := make([]int, 1+i*4%200)
			for k := range fds {
				fds[k] = int(f.Fd())
			}
			call := message(func(m rpccp.Message) { fillCall(m, i, imported(served), echo) })
			if _, _, err := p.socket.WriteMsgUnix(call, syscall.UnixRights(fds...), nil); err != nil {
				t.Fatal(err)
			}
			if !p.hear(rpccp.Message_Which_return) {
				t.Fatal("the connection ended")
			}
			p.finish(i, true)
		}
		want := before
		if accepted {
			want++
		}
		if got := descriptors(t); got != want {
			t.Errorf("accepted: %v: %d descriptors, want %d", accepted, got, want)
		}
		p.socket.Close()
		conn.Close()
		if got := descriptors(t); got != start {
			t.Errorf("accepted: %v: %d descriptors after the end, want %d", accepted, got, start)
		}
		if files.Take() != nil {
			t.Error("a file outlived its connection")
		}
	}
}

// TestNoFileOnAPipe attaches a file to a stream that cannot carry files, which must fail.
func TestNoFileOnAPipe(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	conn := vat.Connect(theirs, capnp.Client{})
	defer conn.Close()
	if err := conn.Attach(named(t, "one")); err == nil {
		t.Error("attached")
	}
}

// TestInterruptedReadWhereFilesAreAccepted interrupts a read, because a waiting call can go on: the read must resume,
// also where files are accepted.
func TestInterruptedReadWhereFilesAreAccepted(t *testing.T) {
	conn, p, _ := serve(t, guard.AcceptFiles(&guard.Files{}))
	defer conn.Close()
	defer p.socket.Close()
	p.bootstrap()
	for i := range uint32(100) {
		p.call(2*i, imported(served), fresh)
		p.call(2*i+1, answered(2*i, 0), echo)
		for range 2 {
			if !p.hear(rpccp.Message_Which_return) {
				t.Fatal("the connection ended")
			}
		}
		p.finish(2*i, true)
		p.finish(2*i+1, true)
	}
}
