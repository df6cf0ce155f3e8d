package golden_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// versions returns the folders of released versions, oldest first.
func versions(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/v*")
	if err != nil || len(found) == 0 {
		t.Fatalf("no versions: %v", err)
	}
	return found
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(parts...))
	must(t, err)
	return raw
}

// Today's code reads the same from the files of each version as that version did.
func TestEveryVersionIsRead(t *testing.T) {
	for _, dir := range versions(t) {
		for _, name := range binaries() {
			t.Run(filepath.Base(dir)+"/"+name, func(t *testing.T) {
				if got, want := describe(t, name, dir), string(read(t, dir, name+".txt")); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// What has not changed since is still written with the same bytes.
func TestRewritten(t *testing.T) {
	for _, dir := range versions(t) {
		for _, name := range []string{"record-empty", "record-rich"} {
			raw := read(t, dir, name)
			record, err := bootctl.Decode(raw)
			must(t, err)
			again, err := bootctl.Encode(afresh(record))
			must(t, err)
			if !bytes.Equal(again, raw) {
				t.Errorf("%s/%s: other bytes", dir, name)
			}
		}
		raw := read(t, dir, "manifest.nxb")
		m, err := nxb.ParseManifest(raw)
		must(t, err)
		again, err := m.Encode()
		must(t, err)
		if !bytes.Equal(again, raw) {
			t.Errorf("%s/manifest.nxb: other bytes", dir)
		}
		if got := repack(t, read(t, dir, "system.nxs"), key(t, dir)); !bytes.Equal(got, read(t, dir, "system.nxs")) {
			t.Errorf("%s/system.nxs: other bytes", dir)
		}
	}
}

// afresh returns the record without the message it was read from, with which Encode would start. So today's code writes
// every byte.
func afresh(r bootctl.Record) bootctl.Record {
	return bootctl.Record{
		Active: r.Active, Pending: r.Pending, Staged: r.Staged, TriesLeft: r.TriesLeft, HealthOK: r.HealthOK,
		Boot: r.Boot, StageSerial: r.StageSerial,
		Slots: r.Slots, Quarantine: r.Quarantine, LastRollback: r.LastRollback, History: r.History,
	}
}

// describe reads a file with today's code and returns its content as text.
func describe(t *testing.T, name, dir string) string {
	t.Helper()
	raw := read(t, dir, name)
	switch name {
	case "system.nxs":
		return describeSet(t, raw, key(t, dir))
	case "key.pub":
		k := key(t, dir)
		return fmt.Sprintf("key %s\nid %x\n", k, k.ID())
	case "manifest.nxb":
		m, err := nxb.ParseManifest(raw)
		must(t, err)
		return describeManifest(m)
	default:
		r, err := bootctl.Decode(raw)
		must(t, err)
		return describeRecord(r)
	}
}

func key(t *testing.T, dir string) trust.PublicKey {
	t.Helper()
	k, err := trust.ParsePublicFile("key.pub", read(t, dir, "key.pub"))
	must(t, err)
	return k
}

// open opens a set that one key may sign.
func open(raw []byte, trusted trust.PublicKey) (*nxs.Reader, *nxs.Head, error) {
	r := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(),
		func(message, signature []byte) (trust.PublicKey, error) {
			if !trusted.Signed(message, signature) {
				return trust.PublicKey{}, refusal.New(refusal.InvalidSignature, "signed by another key")
			}
			return trusted, nil
		})
	head, err := r.Open()
	return r, head, err
}

func describeSet(t *testing.T, raw []byte, trusted trust.PublicKey) string {
	t.Helper()
	r, head, err := open(raw, trusted)
	must(t, err)
	var out bytes.Buffer
	fmt.Fprintf(&out, "set %s by %s, time %d\n", head.Index.SystemVersion, head.Index.Publisher,
		head.Index.TimestampUnixMs)
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		must(t, err)
		payload, err := io.ReadAll(b.Payload)
		must(t, err)
		fmt.Fprintf(&out, "\n%s %s, payload %q %s\n%s", b.Name, b.Version, payload, b.PayloadSHA256,
			describeManifest(b.Manifest))
	}
}

func describeManifest(m nxb.Manifest) string {
	return fmt.Sprintf(
		"name %s\nversion %s\nabilities %q\ncapabilities %q\nminSdk %s\npublisher %x\nsignature %x\npayload %d bytes %x\n",
		m.Name, m.Version, m.Abilities, m.Capabilities, m.MinSDK, m.Publisher, m.Signature, m.PayloadSize,
		m.PayloadDigest)
}

func describeRecord(r bootctl.Record) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "active %s, pending %s, staged %s, tries left %d, healthy %v\nboot %d, stage %d\n",
		r.Active, r.Pending, cmp.Or(r.Staged.Version, "none"), r.TriesLeft, r.HealthOK, r.Boot, r.StageSerial)
	for i, c := range r.Slots {
		fmt.Fprintf(&out, "slot %c: %q %s good %v\n", 'a'+i, c.Version, c.Digest, c.Good)
	}
	for _, q := range r.Quarantine {
		fmt.Fprintf(&out, "quarantined %s %s: %s\n", q.Version, q.Digest, q.Reason)
	}
	if last := r.LastRollback; last != nil {
		fmt.Fprintf(&out, "rolled back %s %s: %s: %s\n", last.Version, last.Digest, last.Reason, last.Detail)
	}
	for _, e := range r.History {
		fmt.Fprintf(&out, "boot %d: %s %s %s %s %s\n", e.Boot, e.Op, e.Slot, e.Version, e.Digest, e.Reason)
	}
	return out.String()
}

// repack writes a set again from what was read from it.
func repack(t *testing.T, raw []byte, trusted trust.PublicKey) []byte {
	t.Helper()
	r, head, err := open(raw, trusted)
	must(t, err)
	var sources []nxs.Source
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		payload, err := io.ReadAll(b.Payload)
		must(t, err)
		sources = append(sources, nxs.Source{Entry: b.Entry, RawManifest: b.RawManifest,
			Payload: bytes.NewReader(payload)})
	}
	index, err := head.Index.Encode()
	must(t, err)
	var out bytes.Buffer
	must(t, nxs.Write(&out, &nxs.Head{Raw: index, Signature: head.Signature}, sources))
	return out.Bytes()
}
