package execd

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// TestLoad takes payloads from a bundlemgrd that may lie: what is run is decided by the signed digest and by the machine.
func TestLoad(t *testing.T) {
	this := programFor(plat.Machine())
	foreign := programFor(elf.EM_SPARCV9)
	for _, c := range []struct {
		name          string
		served, named []byte
		want          refusal.Reason
	}{
		{"the signed program", this, this, ""},
		{"another program", append([]byte{}, append(this[:len(this)-1:len(this)-1], 'x')...), this, refusal.DigestMismatch},
		{"a program for another machine", foreign, foreign, refusal.WrongArchitecture},
		{"no program", make([]byte, 100), make([]byte, 100), refusal.WrongArchitecture},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &supervisor{bundles: provided(t, c.served), loading: make(chan struct{}, 1)}
			payload, err := s.load(t.Context(), spec{name: "hello", digest: nxs.Sum(c.named), size: int64(len(c.named))})
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
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	serving, err := vat.Socket(ours)
	if err != nil {
		t.Fatal(err)
	}
	using, err := vat.Socket(theirs)
	if err != nil {
		t.Fatal(err)
	}
	server := capnp.Client(bundle.BundleMgr_ServerToClient(&fakeBundlemgrd{payload: payload}))
	served, used := vat.Connect(serving, server), vat.Connect(using, capnp.Client{})
	t.Cleanup(served.Close)
	t.Cleanup(used.Close)
	holding := vat.NewHolding("BundleMgr")
	holding.Renew(used)
	return holding
}

// A fakeBundlemgrd opens one payload and does nothing else.
type fakeBundlemgrd struct {
	bundle.BundleMgr_Server
	payload []byte
}

func (b *fakeBundlemgrd) OpenPayload(_ context.Context, call bundle.BundleMgr_openPayload) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetBlob(bundle.Blob_ServerToClient(&fakeBlob{payload: b.payload}))
}

type fakeBlob struct {
	bundle.Blob_Server
	payload []byte
}

func (b *fakeBlob) Read(_ context.Context, call bundle.Blob_read) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	at := min(call.Args().Offset(), uint64(len(b.payload)))
	end := min(at+uint64(call.Args().Count()), uint64(len(b.payload)))
	return res.SetBytes(b.payload[at:end])
}
