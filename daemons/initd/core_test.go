package initd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/keystore"
	"nexus/capnpgen/update"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A liar is an updated that hands out whatever it likes for a core.
type liar struct {
	update.HealthGate_Server
	index, signature, payload []byte
}

func (l *liar) Core(_ context.Context, call update.HealthGate_core) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	if err := res.SetIndex(l.index); err != nil {
		return err
	}
	if err := res.SetSignature(l.signature); err != nil {
		return err
	}
	return res.SetPayload(bundle.Blob_ServerToClient(&blob.Blob{File: inMemory{bytes.NewReader(l.payload)},
		Digest: nxs.Sum(l.payload)}))
}

// inMemory is a file of a slot.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// honest is a keystored that trusts the first test key.
type honest struct{}

func (honest) Verify(_ context.Context, call keystore.Verifier_verify) error {
	message, err := call.Args().Message_()
	if err != nil {
		return err
	}
	signature, err := call.Args().Signature()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	key := updatestest.Key(1).Public()
	if !ed25519.Verify(key[:], message, signature) {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.InvalidSignature, "invalid signature"))
	}
	return res.SetPublisher(key[:])
}

// program is an ELF program for a machine, as far as its header goes.
func program(machine elf.Machine, text string) []byte {
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[elf.EI_CLASS], header[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(header[18:], uint16(machine))
	return append(header, text...)
}

// carrying is a liar that tells the truth about a set with this payload as the bundle of that name, signed by the n-th
// test key.
func carrying(t *testing.T, key byte, name string, content []byte) *liar {
	t.Helper()
	signer := updatestest.Key(key)
	raw, err := updatestest.Index(signer, "1.1.0", updatestest.Bundle(name, "1.1.0", nil, content, signer)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &liar{index: raw, signature: signature, payload: content}
}

// provided is a holding of what a server serves over a connection of its own.
func provided(t *testing.T, client capnp.Client) *vat.Holding {
	t.Helper()
	holding, _ := vattest.Provide(t, client)
	return holding
}

// TestACoreIsProvenByTheFirstProcess has updated hand out cores that must not take the place of the first process, and
// one that may: then the very bytes that were signed are in sealed memory.
func TestACoreIsProvenByTheFirstProcess(t *testing.T) {
	good := program(plat.Machine(), "the core")
	other := elf.EM_S390
	tampered := func(change func(*liar)) *liar {
		l := carrying(t, 1, nxs.CoreName, good)
		change(l)
		return l
	}
	for name, c := range map[string]struct {
		says *liar
		want refusal.Reason
	}{
		"as it was signed":     {carrying(t, 1, nxs.CoreName, good), ""},
		"signed by a stranger": {carrying(t, 2, nxs.CoreName, good), refusal.InvalidSignature},
		"another index": {tampered(
			func(l *liar) { l.index = append([]byte{}, l.index...); l.index[40] ^= 1 }), refusal.InvalidSignature},
		"another payload": {tampered(func(l *liar) { l.payload = program(plat.Machine(), "THE core") }),
			refusal.DigestMismatch},
		"a bundle that is no core": {carrying(t, 1, "hello", good), refusal.UnknownBundle},
		"a program for another machine": {carrying(t, 1, nxs.CoreName, program(other, "")),
			refusal.WrongArchitecture},
		"no program": {carrying(t, 1, nxs.CoreName, []byte("#!/bin/sh")),
			refusal.WrongArchitecture},
		"a payload over the limit": {carrying(t, 1, nxs.CoreName,
			program(plat.Machine(), string(make([]byte, 1<<12)))), refusal.PayloadTooLarge},
		"a payload that ends too early": {tampered(func(l *liar) { l.payload = l.payload[:70] }), refusal.IO},
		"a payload that goes on for ever": {tampered(
			func(l *liar) { l.payload = append(l.payload[:len(l.payload):len(l.payload)], "more"...) }), refusal.IO},
		"a signature of another size": {tampered(func(l *liar) { l.signature = nil }), refusal.IO},
	} {
		l := coreLoader{provided(t, capnp.Client(keystore.Verifier_ServerToClient(honest{}))), 1 << 12}
		gate := provided(t, capnp.Client(update.HealthGate_ServerToClient(c.says)))
		client, err := gate.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		core, entry, err := l.load(t.Context(), update.HealthGate(client))
		client.Release()
		if c.want != "" || err != nil {
			if c.want == "" || refusal.Of(err) != c.want || core != nil {
				t.Errorf("%s: got %v (%s), want %q", name, err, refusal.Of(err), c.want)
			}
			continue
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, io.NewSectionReader(core, 0, entry.PayloadSize)); err != nil ||
			nxs.Digest(hash.Sum(nil)) != nxs.Sum(good) {
			t.Errorf("%s: what is in memory is not what was signed, %v", name, err)
		}
		if _, err := core.WriteAt([]byte{0}, 0); err == nil {
			t.Errorf("%s: it can be written to", name)
		}
		core.Close()
	}
}
