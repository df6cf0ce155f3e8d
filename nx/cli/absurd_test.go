package cli_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/server"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// An absurd system answers every call, of whichever interface, with results that are well-formed and mean nothing: they are grown out of bytes.
// Each byte decides one thing; when they are used up, everything is absent.
type absurd struct {
	mu    sync.Mutex
	bytes []byte
	self  capnp.Client
}

// serveAbsurd serves such a system in a folder, until the test ends.
func serveAbsurd(t testing.TB, dir string, raw []byte) {
	t.Helper()
	listener, err := plat.ListenPrivate(filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	a := &absurd{bytes: raw}
	a.self = capnp.NewClient(server.New(a.methods(), nil, nil))
	t.Cleanup(a.self.Release)
	go func() {
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			conn := vat.Connect(socket, a.self.AddRef())
			t.Cleanup(conn.Close)
		}
	}()
}

// methods are those of all interfaces that nx calls.
func (a *absurd) methods() (all []server.Method) {
	all = operator.Operator_Methods(all, nil)
	all = operator.Authority_Methods(all, nil)
	all = operator.HandedFile_Methods(all, nil)
	all = update.UpdateStatus_Methods(all, nil)
	all = update.Updated_Methods(all, nil)
	all = update.UpdateStage_Methods(all, nil)
	all = update.UpdateRecovery_Methods(all, nil)
	all = update.StageSink_Methods(all, nil)
	all = update.StageOnlySink_Methods(all, nil)
	all = update.StagedSystem_Methods(all, nil)
	all = journal.Journal_Methods(all, nil)
	all = bundle.BundleMgr_Methods(all, nil)
	all = exec.ServiceWatch_Methods(all, nil)
	all = exec.Exec_Methods(all, nil)
	all = exec.Process_Methods(all, nil)
	for i := range all {
		all[i].Impl = a.answer
	}
	return all
}

func (a *absurd) answer(_ context.Context, call *server.Call) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next() == 0xff {
		return capnp.Unimplemented("nothing of the kind")
	}
	res, err := call.AllocResults(capnp.ObjectSize{DataSize: 64, PointerCount: 4})
	if err != nil {
		return err
	}
	return a.fill(res, 0)
}

// next is the byte that decides next, or 0.
func (a *absurd) next() byte {
	if len(a.bytes) == 0 {
		return 0
	}
	b := a.bytes[0]
	a.bytes = a.bytes[1:]
	return b
}

// maxDepth bounds how deep a thing is grown.
const maxDepth = 4

// fill grows a struct: its numbers, then what its pointers lead to.
func (a *absurd) fill(s capnp.Struct, depth int) error {
	for i := range s.Size().DataSize / 8 {
		if b := a.next(); b != 0 {
			s.SetUint64(capnp.DataOffset(i*8), uint64(b)*0x8101010101010101)
		}
	}
	for i := range s.Size().PointerCount {
		p, err := a.grow(s.Segment(), depth)
		if err != nil {
			return err
		}
		if err := s.SetPtr(i, p); err != nil {
			return err
		}
	}
	return nil
}

// words are texts as a hostile system may choose them.
var words = []string{"", "a", "1.0.0", "healthy", "initd", "\x1b[2J\x1b]0;x\x07", "\u009b31m", "\u202eabc", "\xff\xfe\x00x", "none", "a\tb\nc", "bundle/x"}

// grow makes what a pointer leads to.
func (a *absurd) grow(seg *capnp.Segment, depth int) (capnp.Ptr, error) {
	kind := a.next()
	if depth == 0 && kind == 0 || kind%8 == 1 {
		return capnp.NewInterface(seg, seg.Message().CapTable().Add(a.self.AddRef())).ToPtr(), nil
	}
	switch kind % 8 {
	case 2, 3:
		text, err := capnp.NewText(seg, words[int(a.next())%len(words)])
		return text.ToPtr(), err
	case 4:
		data, err := capnp.NewData(seg, make([]byte, int(a.next())))
		return data.ToPtr(), err
	}
	if depth == maxDepth {
		return capnp.Ptr{}, nil
	}
	switch kind % 8 {
	case 5:
		s, err := capnp.NewStruct(seg, capnp.ObjectSize{DataSize: 64, PointerCount: 6})
		if err != nil {
			return capnp.Ptr{}, err
		}
		return s.ToPtr(), a.fill(s, depth+1)
	case 6:
		return a.growStructs(seg, depth)
	case 7:
		list, err := capnp.NewPointerList(seg, int32(a.next()))
		if err != nil {
			return capnp.Ptr{}, err
		}
		for i := range min(list.Len(), 4) {
			p, err := a.grow(seg, depth+1)
			if err != nil {
				return capnp.Ptr{}, err
			}
			if err := list.Set(i, p); err != nil {
				return capnp.Ptr{}, err
			}
		}
		return list.ToPtr(), nil
	}
	return capnp.Ptr{}, nil
}

// growStructs makes a list of structs, sometimes of very many that hold nothing.
func (a *absurd) growStructs(seg *capnp.Segment, depth int) (capnp.Ptr, error) {
	n := int32(a.next())
	if n > 0xf0 {
		list, err := capnp.NewCompositeList(seg, capnp.ObjectSize{}, n<<10)
		return list.ToPtr(), err
	}
	n %= 8
	list, err := capnp.NewCompositeList(seg, capnp.ObjectSize{DataSize: 64, PointerCount: 6}, n)
	if err != nil {
		return capnp.Ptr{}, err
	}
	for i := range int(n) {
		if err := a.fill(list.Struct(i), depth+1); err != nil {
			return capnp.Ptr{}, err
		}
	}
	return list.ToPtr(), nil
}
