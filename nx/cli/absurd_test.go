package cli_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/server"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// An absurd system answers every call, of whichever interface, with results that are well-formed and mean nothing: they
// are grown out of bytes. Each byte decides one thing; when they are used up, everything is absent.
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
	all = operator.TrustEditor_Methods(all, nil)
	all = keystore.TrustAnchors_Methods(all, nil)
	all = update.UpdateStatus_Methods(all, nil)
	all = update.Updated_Methods(all, nil)
	all = update.UpdateStage_Methods(all, nil)
	all = update.UpdateRecovery_Methods(all, nil)
	all = update.StageSink_Methods(all, nil)
	all = update.StagedSystem_Methods(all, nil)
	all = journal.Journal_Methods(all, nil)
	all = bundle.BundleMgr_Methods(all, nil)
	all = exec.ServiceWatch_Methods(all, nil)
	all = exec.Exec_Methods(all, nil)
	all = exec.Process_Methods(all, nil)
	for i, m := range all {
		facets := strings.HasSuffix(m.InterfaceName, ":Operator") &&
			!slices.Contains([]string{"graph", "daemons", "watchdog"}, m.MethodName)
		all[i].Impl = func(_ context.Context, call *server.Call) error { return a.answer(call, facets) }
	}
	return all
}

// answer grows the results of a call. Those of one that gives a facet mostly begin with a capability, those of others
// with a struct or a list.
func (a *absurd) answer(call *server.Call, facet bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	how := a.next()
	if how == 0xff {
		return capnp.Unimplemented("nothing of the kind")
	}
	res, err := call.AllocResults(capnp.ObjectSize{DataSize: 64, PointerCount: 4})
	if err != nil {
		return err
	}
	kind := byte(growsStruct)
	switch {
	case how > 0xf0:
		return a.fill(res, 0)
	case facet:
		kind = growsCapability
	case how%2 == 1:
		kind = growsStructs
	}
	p, err := a.growAs(res.Segment(), kind, 0)
	if err != nil {
		return err
	}
	if !facet {
		err = a.fill(res, 0)
	}
	return errors.Join(err, res.SetPtr(0, p))
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
	which := a.next()
	for i := range s.Size().DataSize / 8 {
		if which>>i&1 == 1 {
			s.SetUint64(capnp.DataOffset(i*8), uint64(a.next())*0x8101010101010101)
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
var words = []string{"", "a", "1.0.0", "healthy", "initd", "\x1b[2J\x1b]0;x\x07", "\u009b31m", "\u202eabc",
	"\xff\xfe\x00x", "none", "a\tb\nc", "bundle/x"}

// What a pointer may lead to; of eight kinds the others are nothing and lists of pointers, and a text is two.
const (
	growsCapability = 1
	growsText       = 2
	growsTextToo    = 3
	growsData       = 4
	growsStruct     = 5
	growsStructs    = 6
	growsPointers   = 7
)

// grow makes what a pointer leads to.
func (a *absurd) grow(seg *capnp.Segment, depth int) (capnp.Ptr, error) {
	return a.growAs(seg, a.next()%8, depth)
}

func (a *absurd) growAs(seg *capnp.Segment, kind byte, depth int) (capnp.Ptr, error) {
	switch kind {
	case growsCapability:
		return capnp.NewInterface(seg, seg.Message().CapTable().Add(a.self.AddRef())).ToPtr(), nil
	case growsText, growsTextToo:
		text, err := capnp.NewText(seg, words[int(a.next())%len(words)])
		return text.ToPtr(), err
	case growsData:
		data, err := capnp.NewData(seg, make([]byte, int(a.next())))
		return data.ToPtr(), err
	}
	if depth == maxDepth {
		return capnp.Ptr{}, nil
	}
	switch kind {
	case growsStruct:
		s, err := capnp.NewStruct(seg, capnp.ObjectSize{DataSize: 64, PointerCount: 8})
		if err != nil {
			return capnp.Ptr{}, err
		}
		return s.ToPtr(), a.fill(s, depth+1)
	case growsStructs:
		return a.growStructs(seg, depth)
	case growsPointers:
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
		list, err := capnp.NewCompositeList(seg, capnp.ObjectSize{}, n<<3)
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
