package execd

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// TestLoad takes payloads from a bundlemgrd that may lie: what is run is decided by the signed digest and by the
// machine.
func TestLoad(t *testing.T) {
	this := programFor(plat.Machine())
	foreign := programFor(elf.EM_SPARCV9)
	for _, c := range []struct {
		name          string
		served, named []byte
		want          refusal.Reason
	}{
		{"the signed program", this, this, ""},
		{"another program", append([]byte{}, append(this[:len(this)-1:len(this)-1], 'x')...), this,
			refusal.DigestMismatch},
		{"a program for another machine", foreign, foreign, refusal.WrongArchitecture},
		{"no program", make([]byte, 100), make([]byte, 100), refusal.WrongArchitecture},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newPayloads(provided(t, c.served), plat.RealClock{}, nil)
			payload, err := s.load(t.Context(), spec{name: "hello", digest: nxs.Sum(c.named),
				size: int64(len(c.named))})
			if c.want != "" {
				if payload != nil || refusal.Of(err) != c.want {
					t.Fatalf("got a payload %v, error %v, want %s", payload != nil, err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer payload.Close()
			got, err := io.ReadAll(io.NewSectionReader(payload, 0, int64(len(c.named))))
			if err != nil || string(got) != string(c.named) {
				t.Errorf("loaded %q, %v", got, err)
			}
		})
	}
}

// TestLoadHandedFile takes a payload from the file that bundlemgrd hands over, which may be anything: what it holds is
// checked like any other bytes, and one whose reader could wait for ever is not read.
func TestLoadHandedFile(t *testing.T) {
	program := programFor(plat.Machine())
	dir := t.TempDir()
	for _, c := range []struct {
		name   string
		handed func(name string) error
		calls  []byte // what bundlemgrd has for those who ask by calls
		want   refusal.Reason
	}{
		{"the signed program", func(name string) error { return os.WriteFile(name, program, 0o600) }, nil, ""},
		{"another program",
			func(name string) error {
				return os.WriteFile(name, append(program[:len(program)-1:len(program)-1], 'x'), 0o600)
			}, program,
			refusal.DigestMismatch},
		{"a FIFO", func(name string) error { return syscall.Mkfifo(name, 0o600) }, program, ""},
		{"a folder", func(name string) error { return os.Mkdir(name, 0o700) }, program, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := filepath.Join(dir, filepath.Base(t.Name()))
			if err := c.handed(name); err != nil {
				t.Fatal(err)
			}
			used, _ := connected(t, &fakeBundlemgrd{payload: c.calls, file: name})
			holding := vat.NewHolding("BundleMgr")
			holding.Renew(used)
			s := newPayloads(holding, plat.RealClock{}, nil)
			payload, err := s.load(t.Context(), spec{name: "hello", digest: nxs.Sum(program),
				size: int64(len(program))})
			if payload != nil {
				payload.Close()
			}
			if (err == nil) != (c.want == "") || err != nil && refusal.Of(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestLoadOutlivesBundlemgrd cuts the connection in the middle of a payload: the next life of bundlemgrd, which has not
// published again at first, gives the whole of it. What it says of itself counts.
func TestLoadOutlivesBundlemgrd(t *testing.T) {
	program := programFor(plat.Machine())
	for _, c := range []struct {
		name  string
		lives []*fakeBundlemgrd
		want  refusal.Reason
	}{
		{"it comes back", []*fakeBundlemgrd{{payload: program, dies: true}, {payload: program, silent: 2}}, ""},
		{"it comes back with other bytes", []*fakeBundlemgrd{{payload: program, dies: true},
			{payload: append(program[:len(program)-1:len(program)-1], 'x')}}, refusal.DigestMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			holding := vat.NewHolding("BundleMgr")
			serve(t, holding, c.lives)
			s := newPayloads(holding, plat.RealClock{}, nil)
			payload, err := s.load(t.Context(), spec{name: "hello", digest: nxs.Sum(program),
				size: int64(len(program))})
			if refusal.Of(err) != c.want && !(err == nil && c.want == "") {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err == nil {
				payload.Close()
			}
		})
	}
}

// serve puts one life of bundlemgrd after the other behind the holding: a life that dies is followed by the next.
func serve(t *testing.T, holding *vat.Holding, lives []*fakeBundlemgrd) {
	t.Helper()
	used, served := connected(t, lives[0])
	lives[0].die = func() {
		served.Close()
		if len(lives) > 1 {
			serve(t, holding, lives[1:])
		}
	}
	holding.Renew(used)
}

// programFor is the header of a program for a machine, which is all that is looked at here.
func programFor(machine elf.Machine) []byte {
	header := make([]byte, 64, 80)
	copy(header, elf.ELFMAG)
	header[elf.EI_CLASS], header[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_DYN))
	binary.LittleEndian.PutUint16(header[18:], uint16(machine))
	return append(header, "and more"...)
}

// provided returns a holding of a bundlemgrd that serves these bytes for every name, over a real connection.
func provided(t *testing.T, payload []byte) *vat.Holding {
	t.Helper()
	used, _ := connected(t, &fakeBundlemgrd{payload: payload})
	holding := vat.NewHolding("BundleMgr")
	holding.Renew(used)
	return holding
}

// connected returns both ends of a connection to a bundlemgrd.
func connected(t testing.TB, mgr *fakeBundlemgrd) (used, served *vat.Conn) {
	t.Helper()
	using, serving := vattest.Sockets(t)
	made := make(chan struct{})
	mgr.attach = func(file *os.File) error {
		<-made
		return served.Attach(file)
	}
	served, used = vat.Connect(serving, capnp.Client(bundle.BundleMgr_ServerToClient(mgr))),
		vat.Connect(using, capnp.Client{}, guard.AcceptFiles(&guard.Files{}))
	close(made)
	t.Cleanup(served.Close)
	t.Cleanup(used.Close)
	return used, served
}

// A fakeBundlemgrd opens one payload and does nothing else.
type fakeBundlemgrd struct {
	bundle.BundleMgr_Server
	payload []byte
	file    string            // handed over instead; empty: none
	listed  map[string]string // the ability of each published bundle
	moment  func()            // called before that file is opened, and before it is handed over; nil: nothing
	attach  func(*os.File) error
	silent  int  // how often it says at first that nothing is published
	dies    bool // under the first read
	die     func()
}

func (b *fakeBundlemgrd) HandPayload(_ context.Context, call bundle.BundleMgr_handPayload) error {
	res, err := call.AllocResults()
	if err != nil || b.file == "" {
		return err
	}
	b.passes()
	file, err := os.OpenFile(b.file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	b.passes()
	res.SetHanded(true)
	return b.attach(file)
}

func (b *fakeBundlemgrd) passes() {
	if b.moment != nil {
		b.moment()
	}
}

func (b *fakeBundlemgrd) List(_ context.Context, call bundle.BundleMgr_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	p, err := res.NewPublication()
	if err != nil {
		return err
	}
	list, err := p.NewBundles(int32(len(b.listed)))
	for i, name := range slices.Sorted(maps.Keys(b.listed)) {
		one := list.At(i)
		err = errors.Join(err, one.SetName(name), vat.SetTexts(one.NewAbilities, []string{b.listed[name]}))
	}
	return err
}

func (b *fakeBundlemgrd) OpenPayload(_ context.Context, call bundle.BundleMgr_openPayload) error {
	if b.silent > 0 {
		b.silent--
		return fmt.Errorf("%s: no published bundle has this name", refusal.UnknownBundle)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetBlob(bundle.Blob_ServerToClient(&fakeBlob{mgr: b, payload: b.payload}))
}

type fakeBlob struct {
	bundle.Blob_Server
	mgr     *fakeBundlemgrd
	payload []byte
}

func (b *fakeBlob) Read(ctx context.Context, call bundle.Blob_read) error {
	if b.mgr.dies {
		b.mgr.dies = false
		go b.mgr.die()
		call.Go()
		<-ctx.Done() // the connection ends before an answer comes
		return ctx.Err()
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	at := min(call.Args().Offset(), uint64(len(b.payload)))
	end := min(at+uint64(call.Args().Count()), uint64(len(b.payload)))
	return res.SetBytes(b.payload[at:end])
}
