package bundlemgrd_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/bundle"
	"nexus/capnpgen/journal"
	"nexus/capnpgen/registry"
	"nexus/daemons/bundlemgrd"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A device is a daemon over real slots, as seen by the owner of the boot record and by clients.
type device struct {
	t         *testing.T
	dir       string
	store     *slots.Store
	daemon    *vattest.Daemon
	publisher bundle.SlotPublisher
	manager   bundle.BundleMgr
	markers   chan string
}

func start(t *testing.T) *device {
	t.Helper()
	v := &device{t: t, dir: t.TempDir(), markers: make(chan string, 16)}
	root, err := os.OpenRoot(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	if v.store, err = slots.Open(durable.OS(root)); err != nil {
		t.Fatal(err)
	}
	v.daemon = vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return bundlemgrd.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	v.daemon.Dir("system", v.dir)
	v.daemon.Provide("LogSink", capnp.Client(journal.LogSink_ServerToClient(&sink{v.markers})))
	v.publisher = bundle.SlotPublisher(v.daemon.Client("SlotPublisher", "updated"))
	v.manager = bundle.BundleMgr(v.daemon.Client("BundleMgr", "execd"))
	return v
}

// A sink keeps the markers and discards everything else.
type sink struct{ markers chan string }

func (*sink) Write(context.Context, journal.LogSink_write) error { return nil }

func (s *sink) Marker(_ context.Context, call journal.LogSink_marker) error {
	line, err := call.Args().Line()
	s.markers <- line
	return err
}

func (*sink) Sync(context.Context, journal.LogSink_sync) error { return nil }

func (*sink) ForSender(context.Context, journal.LogSink_forSender) error { return nil }

// receive waits for a value. It should have arrived long before the timeout.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(vattest.Patience):
		t.Fatal("timed out")
		panic("unreachable")
	}
}

// program returns the header of a program for a machine; nothing else of it is read here.
func program(machine elf.Machine, version string) []byte {
	header := make([]byte, 64, 128)
	copy(header, elf.ELFMAG)
	header[elf.EI_CLASS], header[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_DYN))
	binary.LittleEndian.PutUint16(header[18:], uint16(machine))
	return append(header, version...)
}

func machines() (this, other elf.Machine) {
	known := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "riscv64": elf.EM_RISCV}
	this = known[runtime.GOARCH]
	if this == elf.EM_X86_64 {
		return this, elf.EM_RISCV
	}
	return this, elf.EM_X86_64
}

// service and data return the bundles of the usual set.
func service(version string) updatestest.Made {
	this, _ := machines()
	return updatestest.Bundle("hello.app", version, []string{nxb.AbilityService}, program(this, version),
		updatestest.Key(1))
}

func data(version string) updatestest.Made {
	return updatestest.Bundle("data", version, nil, []byte("any bytes of "+version), updatestest.Key(1))
}

// stage writes a set into a slot and returns its digest.
func (v *device) stage(slot bootctl.Slot, version string, bundles ...updatestest.Made) nxs.Digest {
	v.t.Helper()
	key := updatestest.Key(1)
	raw := updatestest.Archive(v.t, key, version, bundles...)
	verify := func(message, signature []byte) (trust.PublicKey, error) {
		return trust.NewAnchors(trust.Anchor{Role: trust.RoleSystem, Key: key.Public()}).Verify(trust.RoleSystem,
			message, signature)
	}
	reader := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
	content, err := v.store.Stage(v.t.Context(), slot, reader, slots.StageOptions{})
	if err != nil {
		v.t.Fatal(err)
	}
	return content.Digest
}

// publish sets the active slot and returns the reason if that is refused.
func (v *device) publish(slot bootctl.Slot, digest nxs.Digest, boot uint64) (reason string) {
	v.t.Helper()
	answer, release := v.publisher.SetActiveSlot(v.t.Context(),
		func(p bundle.SlotPublisher_setActiveSlot_Params) error {
			p.SetSlot(convert.Slot(slot))
			p.SetBoot(boot)
			return p.SetIndexSha256(convert.Digest(digest))
		})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return string(refusal.Of(err))
}

func (v *device) mustPublish(slot bootctl.Slot, digest nxs.Digest, boot uint64) {
	v.t.Helper()
	if reason := v.publish(slot, digest, boot); reason != "" {
		v.t.Fatalf("publishing slot %s was refused: %s", slot, reason)
	}
	if got, want := receive(v.t, v.markers), "bundlemgrd: slot "+slot.String()+" active"; got != want {
		v.t.Fatalf("marker %q, want %q", got, want)
	}
}

// check asks whether a slot could be published, and returns the reason if not.
func (v *device) check(slot bootctl.Slot, digest nxs.Digest) (reason string) {
	v.t.Helper()
	answer, release := v.publisher.Check(v.t.Context(), func(p bundle.SlotPublisher_check_Params) error {
		p.SetSlot(convert.Slot(slot))
		return p.SetIndexSha256(convert.Digest(digest))
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return string(refusal.Of(err))
}

// A view is a publication as a client sees it.
type view struct {
	slot    bootrecord.Slot
	version string
	boot    uint64
	bundles string // names and versions
}

func viewOf(t *testing.T, m bundle.Publication) view {
	t.Helper()
	version, err := m.SystemVersion()
	if err != nil {
		t.Fatal(err)
	}
	list, err := m.Bundles()
	if err != nil {
		t.Fatal(err)
	}
	w := view{slot: m.Slot(), version: version, boot: m.Boot()}
	for i := range list.Len() {
		name, err := list.At(i).Name()
		if err != nil {
			t.Fatal(err)
		}
		version, err := list.At(i).Version()
		if err != nil {
			t.Fatal(err)
		}
		w.bundles += name + " " + version + ";"
	}
	return w
}

// published returns the current publication as a client gets it.
func (v *device) published() bundle.Publication {
	v.t.Helper()
	answer, release := v.manager.List(v.t.Context(), nil)
	v.t.Cleanup(release)
	res, err := answer.Struct()
	if err != nil {
		v.t.Fatal(err)
	}
	m, err := res.Publication()
	if err != nil {
		v.t.Fatal(err)
	}
	return m
}

// list returns the current publication as a client sees it.
func (v *device) list() view {
	v.t.Helper()
	return viewOf(v.t, v.published())
}

// open opens a payload or a manifest, which the caller releases.
func open(t *testing.T, manager bundle.BundleMgr, what, name string) (bundle.Blob, error) {
	t.Helper()
	if what == "manifest" {
		answer, release := manager.OpenManifest(t.Context(),
			func(p bundle.BundleMgr_openManifest_Params) error { return p.SetName(name) })
		defer release()
		res, err := answer.Struct()
		return res.Blob().AddRef(), err
	}
	answer, release := manager.OpenPayload(t.Context(),
		func(p bundle.BundleMgr_openPayload_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	return res.Blob().AddRef(), err
}

// readAt reads one piece of a blob.
func readAt(t *testing.T, blob bundle.Blob, offset uint64, count uint32) []byte {
	t.Helper()
	answer, release := blob.Read(t.Context(), func(p bundle.Blob_read_Params) error {
		p.SetOffset(offset)
		p.SetCount(count)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatalf("cannot read blob: %v", err)
	}
	piece, err := res.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(piece)
}

// A registrar plays one instance of samgrd.
type registrar struct {
	services chan bundle.BundleMgr
}

func (r *registrar) Register(_ context.Context, call registry.Registrar_register) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	r.services <- bundle.BundleMgr(call.Args().Service().AddRef())
	return res.SetRegistration(registry.Registration_ServerToClient(nil))
}

// damage changes the middle of a file on disk.
func damage(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil { // files of a set are read-only, even for their owner
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
}
