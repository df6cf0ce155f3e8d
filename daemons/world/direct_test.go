package world_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/operator"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A linker is an outside caller that makes links of its own.
type linker struct {
	t     *testing.T
	ctx   context.Context
	conn  *vat.Conn
	op    operator.Operator
	files *guard.Files

	own   *vat.Conn // the link over which lend stages; nil before the first time
	facet capupdate.Updated
}

// newLinker connects to a socket in the system's folder.
func newLinker(t *testing.T, w *world.World, socket string) *linker {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	files := &guard.Files{}
	conn := w.Dial(t, socket, guard.AcceptFiles(files))
	t.Cleanup(conn.Close)
	root, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(root.Release)
	return &linker{t: t, ctx: ctx, conn: conn, op: operator.Operator(root), files: files}
}

// link makes a link, and returns it with the capability that keeps it.
func (l *linker) link(op operator.Operator, method string) (*vat.Conn, operator.Link, error) {
	l.t.Helper()
	answer, release := op.Link(l.ctx, func(p operator.Operator_link_Params) error { return p.SetMethod(method) })
	defer release()
	res, err := answer.Struct()
	end := l.files.Take()
	if err != nil {
		if end != nil {
			l.t.Errorf("a descriptor came with the refusal %v", err)
		}
		return nil, operator.Link{}, err
	}
	defer end.Close()
	socket, err := vat.Socket(end)
	if err != nil {
		l.t.Fatal(err)
	}
	conn := vat.Connect(socket, capnp.Client{})
	l.t.Cleanup(conn.Close)
	keep := res.Link().AddRef()
	l.t.Cleanup(keep.Release)
	return conn, keep, nil
}

// updated makes a link for Updated.
func (l *linker) updated() (*vat.Conn, capupdate.Updated, operator.Link) {
	l.t.Helper()
	conn, keep, err := l.link(l.op, "updated")
	if err != nil {
		l.t.Fatal(err)
	}
	facet, err := conn.Bootstrap(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(facet.Release)
	return conn, capupdate.Updated(facet), keep
}

// begin begins a stage of size bytes.
func (l *linker) begin(facet capupdate.Updated, size int64) capupdate.StageSink {
	l.t.Helper()
	answer, release := facet.StageSystem(l.ctx, func(p capupdate.Updated_stageSystem_Params) error {
		p.SetSizeBytes(uint64(size))
		return nil
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		l.t.Fatal(err)
	}
	sink := res.Sink().AddRef()
	l.t.Cleanup(sink.Release)
	return sink
}

// give gives the sink a file, or none, and returns the error if it was refused.
func (l *linker) give(conn *vat.Conn, sink capupdate.StageSink, f *os.File) error {
	l.t.Helper()
	if f != nil {
		if err := conn.Attach(f); err != nil {
			l.t.Fatal(err)
		}
	}
	answer, release := sink.File(l.ctx, nil)
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

func (l *linker) done(sink capupdate.StageSink) (reused uint64, err error) {
	answer, release := sink.Done(l.ctx, nil)
	defer release()
	res, err := convert.Outcome(answer.Struct())
	return res.ReusedBytes(), err
}

// lend stages the file's content as a set of size bytes.
func (l *linker) lend(f *os.File, size int64) (reused uint64, err error) {
	l.t.Helper()
	if l.own == nil {
		l.own, l.facet, _ = l.updated()
	}
	sink := l.begin(l.facet, size)
	defer sink.Release()
	if err := l.give(l.own, sink, f); err != nil {
		l.t.Fatal(err)
	}
	return l.done(sink)
}

func fileOf(t *testing.T, raw []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "set.nxs")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func running(t *testing.T) *world.World {
	t.Helper()
	w := world.New(t)
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	return w
}

// TestStageOfAFile stages an open file: it is staged as if its bytes had been sent, and the bytes that the device
// already has are counted.
func TestStageOfAFile(t *testing.T) {
	w := running(t)
	l := newLinker(t, w, "control.sock")
	raw := set(t, "1.1.0", "serve 1.1.0")
	reused, err := l.lend(fileOf(t, raw), int64(len(raw)))
	if err != nil || reused != uint64(len("any bytes")) {
		t.Fatalf("%d bytes reused, %v", reused, err)
	}
	w.Operator().AwaitState("the staged set", 0, func(s world.State) bool {
		return s.Staged == bootctl.Staged && s.Next == "1.1.0" && s.Versions[1] == ""
	})
}

// TestFileIsVerified checks that a file is trusted no more than sent bytes.
func TestFileIsVerified(t *testing.T) {
	w := running(t)
	l := newLinker(t, w, "control.sock")
	good := set(t, "1.1.0", "serve 1.1.0")
	size := int64(len(good))
	forged := updatestest.Archive(t, updatestest.Key(2), "1.1.0", updatestest.Bundle("hello", "1.1.0", nil, []byte("x"),
		updatestest.Key(2)))
	changed := []byte(strings.Replace(string(good), "serve 1.1.0", "serve 1.1.1", 1))
	for _, c := range []struct {
		name   string
		raw    []byte
		size   int64
		reason refusal.Reason
	}{
		{"signed by nobody we know", forged, int64(len(forged)), refusal.UntrustedPublisher},
		{"changed", changed, size, refusal.DigestMismatch},
		{"shorter than announced", good[:size-1024], size, refusal.Truncated},
		{"longer than announced", append(good[:size:size], 0), size, refusal.TrailingData},
		{"empty", nil, size, refusal.Truncated},
	} {
		if _, err := l.lend(fileOf(t, c.raw), c.size); refusal.Of(err) != c.reason {
			t.Errorf("%s: got %v, want %s", c.name, err, c.reason)
		}
	}
	if _, err := l.lend(fileOf(t, good), size); err != nil {
		t.Errorf("after all of these: %v", err)
	}
}

// pathOnly opens a file without read access (open(2), O_PATH).
const pathOnly = 0o10000000

// TestOnlyFilesAreTaken hands over files that cannot be read reliably to their end, whatever their owner does: all are
// refused.
func TestOnlyFilesAreTaken(t *testing.T) {
	w := running(t)
	l := newLinker(t, w, "control.sock")
	conn, facet, _ := l.updated()
	sink := l.begin(facet, 1)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(name string, flags int) *os.File {
		t.Helper()
		f, err := os.OpenFile(name, flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for what, c := range map[string]struct {
		file *os.File
		says string
	}{
		"nothing":           {nil, "no file came with the call"},
		"a directory":       {open(dir, os.O_RDONLY), "it is a directory, not a regular file"},
		"a pipe":            {open(fifo, os.O_RDWR), "it is a pipe, not a regular file"},
		"a socket":          {socket, "it is a socket, not a regular file"},
		"a device":          {open("/dev/zero", os.O_RDONLY), "it is a device, not a regular file"},
		"write only":        {open(filepath.Join(dir, "w"), os.O_WRONLY|os.O_CREATE), "it is not open for reading"},
		"a path, not open":  {open(filepath.Join(dir, "w"), pathOnly), "it is not open for reading"},
		"of another system": {open("/proc/self/status", os.O_RDONLY), "its file system is not known to be local"},
	} {
		err := l.give(conn, sink, c.file)
		if refusal.Of(err) != refusal.BadFile || !strings.HasSuffix(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", what, err, c.says)
		}
	}
	if err := send(l.ctx, sink, []byte{1}); err != nil {
		t.Errorf("bytes in place of them: %v", err)
	}
}

// TestOneArchivePerStage checks that an archive is either sent or given as a file, once.
func TestOneArchivePerStage(t *testing.T) {
	w := running(t)
	l := newLinker(t, w, "control.sock")
	conn, facet, _ := l.updated()
	raw := set(t, "1.1.0", "serve 1.1.0")

	byWrite := l.begin(facet, int64(len(raw)))
	if err := send(l.ctx, byWrite, raw[:100]); err != nil {
		t.Fatal(err)
	}
	const written = "cannot take file: the archive comes by write, or done was called"
	if err := l.give(conn, byWrite, fileOf(t, raw)); err == nil || convert.Text(err) != written {
		t.Errorf("a file after the first write: %v", err)
	}
	byWrite.Release()
	w.Operator().AwaitState("no stage", 0, func(s world.State) bool { return !s.Staging })

	sink := l.begin(facet, int64(len(raw)))
	if err := l.give(conn, sink, fileOf(t, raw)); err != nil {
		t.Fatal(err)
	}
	const given = "cannot take file: the stage has one, or is over"
	if err := l.give(conn, sink, fileOf(t, []byte("late"))); err == nil || convert.Text(err) != given {
		t.Errorf("a second file: %v", err)
	}
	if err := send(l.ctx, sink, raw[:100]); err == nil {
		t.Error("a write after the file succeeded")
	}
	if _, err := l.done(sink); err != nil {
		t.Error(err)
	}
	if err := l.give(conn, sink, fileOf(t, raw)); err == nil || convert.Text(err) != given {
		t.Errorf("a file after done: %v", err)
	}
}

// TestLinkLastsAsLongAsItsHolder begins a stage over a link for each way in which the link can end. The stage ends with
// it, although the sender keeps its socket open.
func TestLinkLastsAsLongAsItsHolder(t *testing.T) {
	w := running(t)
	for what, end := range map[string]func(l *linker, keep operator.Link){
		"the capability is dropped": func(_ *linker, keep operator.Link) { keep.Release() },
		"the connection ends":       func(l *linker, _ operator.Link) { l.conn.Close() },
		"updated ends":              func(*linker, operator.Link) { w.Kill("updated") },
	} {
		l := newLinker(t, w, "control.sock")
		conn, facet, keep := l.updated()
		sink := l.begin(facet, 1000)
		if err := send(l.ctx, sink, []byte{1}); err != nil {
			t.Fatal(err)
		}
		end(l, keep)
		select {
		case <-conn.Done():
		case <-l.ctx.Done():
			t.Fatalf("%s: the link goes on", what)
		}
		w.Operator().AwaitState("no stage", 0, func(s world.State) bool { return !s.Staging })
	}
	l := newLinker(t, w, "control.sock")
	raw := set(t, "1.1.0", "serve 1.1.0")
	if _, err := l.lend(fileOf(t, raw), int64(len(raw))); err != nil {
		t.Errorf("the next stage: %v", err)
	}
}

// TestLinksAreGranted has outside callers ask for links that they must not have.
func TestLinksAreGranted(t *testing.T) {
	w := shared(t)
	whole, part := newLinker(t, w, "control.sock"), newLinker(t, w, "stage.sock")
	answer, release := whole.op.Attenuate(whole.ctx, func(p operator.Operator_attenuate_Params) error {
		return vat.SetTexts(p.NewMethods, []string{"stage", "link"})
	})
	defer release()
	for _, c := range []struct {
		l      *linker
		op     operator.Operator
		method string
		reason refusal.Reason // of a refusal
		says   string         // the text of another error
	}{
		{part, part.op, "stage", refusal.NotGranted, ""},
		{part, part.op, "updated", refusal.NotGranted, ""},
		{whole, answer.Operator(), "updated", refusal.NotGranted, ""},
		{whole, whole.op, "stop", "", `cannot make link: "stop" returns no facet`},
		{whole, whole.op, "HealthGate", "", `cannot make link: "HealthGate" returns no facet`},
		{whole, whole.op, "", "", `cannot make link: "" returns no facet`},
	} {
		_, _, err := c.l.link(c.op, c.method)
		if err == nil || c.reason != "" && refusal.Of(convert.Excepted(err)) != c.reason ||
			c.says != "" && convert.Text(err) != c.says {
			t.Errorf("link for %q: got %v, want %s%s", c.method, err, c.reason, c.says)
		}
	}
	for op, method := range map[operator.Operator]string{whole.op: "updated", answer.Operator(): "stage"} {
		if conn, _, err := whole.link(op, method); err != nil {
			t.Error(err)
		} else if facet, err := conn.Bootstrap(whole.ctx); err != nil {
			t.Error(err)
		} else {
			facet.Release()
		}
	}
	status := newLinker(t, w, "status.sock")
	if _, _, err := status.link(status.op, "status"); refusal.Of(convert.Excepted(err)) != refusal.NotGranted {
		t.Errorf("the role status: %v", err)
	}
}

// TestLinksAreBounded makes as many links as one connection may have. The next is refused until one was dropped, and
// other connections have their own.
func TestLinksAreBounded(t *testing.T) {
	w := running(t)
	l := newLinker(t, w, "control.sock")
	var last operator.Link
	for range 4 {
		_, keep, err := l.link(l.op, "updated")
		if err != nil {
			t.Fatal(err)
		}
		last = keep
	}
	if _, _, err := l.link(l.op, "updated"); !exc.IsType(err, exc.Overloaded) {
		t.Errorf("got %v, want overloaded", err)
	}
	newLinker(t, w, "control.sock").updated()
	last.Release()
	for {
		_, _, err := l.link(l.op, "updated")
		switch {
		case err == nil:
			return
		case !exc.IsType(err, exc.Overloaded):
			t.Fatal(err) // of the time limit
		}
	}
}

// TestPassedOnOperatorMakesNoLink passes an Operator on over another connection, as the host of a guest does. There is
// no link to be had by it, and the bytes are sent by way of the connection.
func TestPassedOnOperatorMakesNoLink(t *testing.T) {
	w := running(t)
	inner := newLinker(t, w, "control.sock")
	near, far := net.Pipe()
	host := vat.Connect(far, capnp.Client(inner.op.AddRef()))
	defer host.Close()
	files := &guard.Files{}
	conn := vat.Connect(near, capnp.Client{}, guard.AcceptFiles(files))
	defer conn.Close()
	root, err := conn.Bootstrap(inner.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	if link := updateclient.Direct(inner.ctx, operator.Operator(root), files, "updated"); link != nil {
		t.Error("got a link")
	}
	answer, release := operator.Operator(root).Updated(inner.ctx, nil)
	defer release()
	raw := set(t, "1.1.0", "serve 1.1.0")
	sink := updateclient.StageSystem(inner.ctx, answer.Updated(), nil, uint64(len(raw)), capupdate.StageProgress{})
	defer sink.Release()
	if staged, err := sink.Send(inner.ctx, bytes.NewReader(raw), fileOf(t, raw)); err != nil ||
		staged.Version != "1.1.0" || !staged.System.IsValid() {
		t.Errorf("staged %+v, %v", staged, err)
	}
}
