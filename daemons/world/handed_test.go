package world_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/capnpgen/operator"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A hander is an operator that hands over files.
type hander struct {
	t    *testing.T
	ctx  context.Context
	conn *vat.Conn
	op   operator.Operator
}

func newHander(t *testing.T, w *world.World) *hander {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	conn := w.Dial(t, "control.sock")
	t.Cleanup(conn.Close)
	root, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(root.Release)
	return &hander{t, ctx, conn, operator.Operator(root)}
}

// hand hands over a file, or none, and returns the error if it was refused.
func (h *hander) hand(f *os.File) (operator.HandedFile, error) {
	h.t.Helper()
	if f != nil {
		if err := h.conn.Attach(f); err != nil {
			h.t.Fatal(err)
		}
	}
	answer, release := h.op.HandFile(h.ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err == nil {
		err = convert.Refused(res.Refusal())
	}
	if err != nil {
		return operator.HandedFile{}, err
	}
	file := res.File().AddRef()
	h.t.Cleanup(file.Release)
	return file, nil
}

func (h *hander) give(file operator.HandedFile, ticket []byte) error {
	answer, release := file.Give(h.ctx, func(p operator.HandedFile_give_Params) error { return p.SetTicket(ticket) })
	defer release()
	res, err := answer.Struct()
	if err == nil {
		err = convert.Refused(res.Refusal())
	}
	return err
}

// begin begins a stage of size bytes.
func (h *hander) begin(size int64) capupdate.StageSink {
	h.t.Helper()
	answer, release := h.op.Updated(h.ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		h.t.Fatal(err)
	}
	begun, releaseBegun := res.Updated().StageSystem(h.ctx, func(p capupdate.Updated_stageSystem_Params) error {
		p.SetSizeBytes(uint64(size))
		return nil
	})
	defer releaseBegun()
	got, err := begun.Struct()
	if err == nil {
		err = convert.Refused(got.Refusal())
	}
	if err != nil {
		h.t.Fatal(err)
	}
	sink := got.Sink().AddRef()
	h.t.Cleanup(sink.Release)
	return sink
}

func (h *hander) ticket(sink capupdate.StageSink) ([]byte, error) {
	answer, release := sink.Ticket(h.ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	ticket, err := res.Ticket()
	return append([]byte{}, ticket...), err
}

func (h *hander) done(sink capupdate.StageSink) (reused uint64, err error) {
	answer, release := sink.Done(h.ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err == nil {
		err = convert.Refused(res.Refusal())
	}
	return res.ReusedBytes(), err
}

// lend stages the file's content as a set of size bytes.
func (h *hander) lend(f *os.File, size int64) (reused uint64, err error) {
	h.t.Helper()
	file, err := h.hand(f)
	if err != nil {
		return 0, err
	}
	sink := h.begin(size)
	defer sink.Release()
	ticket, err := h.ticket(sink)
	if err == nil {
		err = h.give(file, ticket)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return h.done(sink)
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

// TestStageOfAHandedFile hands a set over as an open file: it is staged as if its bytes had been sent, and the bytes
// that the device already has are counted.
func TestStageOfAHandedFile(t *testing.T) {
	w := running(t)
	h := newHander(t, w)
	raw := set(t, "1.1.0", "serve 1.1.0")
	reused, err := h.lend(fileOf(t, raw), int64(len(raw)))
	if err != nil || reused != uint64(len("any bytes")) {
		t.Fatalf("%d bytes reused, %v", reused, err)
	}
	w.Operator().AwaitState("the staged set", 0, func(s world.State) bool {
		return s.Staged == bootctl.B &&
			s.Versions[1] == "1.1.0"
	})
}

// TestHandedFileIsVerified checks that a file is trusted no more than sent bytes.
func TestHandedFileIsVerified(t *testing.T) {
	w := running(t)
	h := newHander(t, w)
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
		if _, err := h.lend(fileOf(t, c.raw), c.size); refusal.Of(err) != c.reason {
			t.Errorf("%s: got %v, want %s", c.name, err, c.reason)
		}
	}
	if _, err := h.lend(fileOf(t, good), size); err != nil {
		t.Errorf("after all of these: %v", err)
	}
}

// pathOnly opens a file without read access (open(2), O_PATH).
const pathOnly = 0o10000000

// TestOnlyFilesAreTaken hands over files that cannot be read reliably to their end, whatever their owner does: all are
// refused.
func TestOnlyFilesAreTaken(t *testing.T) {
	w := running(t)
	h := newHander(t, w)
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
		"a directory":       {open(dir, os.O_RDONLY), "it is a directory, no regular file"},
		"a pipe":            {open(fifo, os.O_RDWR), "it is a pipe, no regular file"},
		"a socket":          {socket, "it is a socket, no regular file"},
		"a device":          {open("/dev/zero", os.O_RDONLY), "it is a device, no regular file"},
		"write only":        {open(filepath.Join(dir, "w"), os.O_WRONLY|os.O_CREATE), "it is not open for reading"},
		"a path, not open":  {open(filepath.Join(dir, "w"), pathOnly), "it is not open for reading"},
		"of another system": {open("/proc/self/status", os.O_RDONLY), "its file system is not known to be local"},
	} {
		_, err := h.hand(c.file)
		if refusal.Of(err) != refusal.BadFile || !strings.HasSuffix(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", what, err, c.says)
		}
	}
}

// TestTickets checks that a ticket is valid for one stage and one file, and that an archive is either sent or handed
// over, not both.
func TestTickets(t *testing.T) {
	w := running(t)
	h := newHander(t, w)
	raw := set(t, "1.1.0", "serve 1.1.0")
	file, err := h.hand(fileOf(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	write := func(sink capupdate.StageSink) error {
		return errors.Join(sink.Write(h.ctx,
			func(p capupdate.StageSink_write_Params) error { return p.SetBytes(raw[:100]) }), sink.WaitStreaming())
	}

	byWrite := h.begin(int64(len(raw)))
	if err := write(byWrite); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ticket(byWrite); err == nil {
		t.Error("got a ticket after the first write")
	}
	byWrite.Release()
	w.Operator().AwaitState("no stage", 0, func(s world.State) bool { return !s.Staging })

	sink := h.begin(int64(len(raw)))
	ticket, err := h.ticket(sink)
	if err != nil || len(ticket) != 16 {
		t.Fatalf("got ticket %x, %v", ticket, err)
	}
	if again, err := h.ticket(sink); err != nil || string(again) != string(ticket) {
		t.Errorf("got another ticket %x, %v", again, err)
	}
	stream := sink.AddRef()
	if err := write(stream); err == nil {
		t.Error("a write after the ticket succeeded")
	}
	stream.Release()
	other, err := h.hand(fileOf(t, []byte("wrong")))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.give(other, make([]byte, 16)); err != nil {
		t.Errorf("a ticket of no stage: %v", err)
	}
	if err := h.give(file, ticket); err != nil {
		t.Fatal(err)
	}
	if err := h.give(file, ticket); refusal.Of(err) != refusal.BadFile {
		t.Errorf("given twice: %v", err)
	}
	late, err := h.hand(fileOf(t, []byte("late")))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.give(late, ticket); err != nil {
		t.Error(err)
	}
	if _, err := h.done(sink); err != nil {
		t.Error(err)
	}
}

// TestFileThatNeverComes finishes a stage whose file never arrives: the stage ends after the timeout, or at once if the
// sender's connection ends.
func TestFileThatNeverComes(t *testing.T) {
	w := running(t)
	h := newHander(t, w)
	sink := h.begin(1000)
	if _, err := h.ticket(sink); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { _, err := h.done(sink); over <- err }()
	for done := false; !done; {
		select {
		case err := <-over:
			if refusal.Of(err) != refusal.Stalled {
				t.Errorf("got %v, want %s", err, refusal.Stalled)
			}
			done = true
		default:
			w.Clock.Wind(10 * time.Second)
		}
	}

	for _, waits := range []bool{false, true} { // for the outcome
		gone := newHander(t, w)
		sink := gone.begin(1000)
		if _, err := gone.ticket(sink); err != nil {
			t.Fatal(err)
		}
		if waits {
			_, release := sink.Done(gone.ctx, nil)
			defer release()
		}
		gone.conn.Close()
		w.Operator().AwaitState("no stage", 0, func(s world.State) bool { return !s.Staging })
	}
	if _, err := h.lend(fileOf(t, set(t, "1.1.0", "serve 1.1.0")),
		int64(len(set(t, "1.1.0", "serve 1.1.0")))); err != nil {
		t.Errorf("the next stage: %v", err)
	}
}
