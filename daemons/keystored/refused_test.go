package keystored_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/journal"
	format "nexus/capnpgen/trust"
	"nexus/daemons/logclient"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// audits is a LogSink that passes on the audit records, as operation, result and reason.
type audits struct {
	warnings
	records chan [3]string
}

func (a audits) Write(_ context.Context, call journal.LogSink_write) error {
	list, err := call.Args().Entries()
	if err != nil {
		return err
	}
	for i := range list.Len() {
		e, err := logclient.ReadEntry(list.At(i))
		if err != nil {
			return err
		}
		if e.Kind == journal.Kind_audit {
			a.records <- [3]string{e.Value("op"), e.Value("result"), e.Value("reason")}
		}
	}
	return nil
}

func (a audits) client() capnp.Client { return capnp.Client(journal.LogSink_ServerToClient(a)) }

func (a audits) next(t *testing.T) [3]string {
	t.Helper()
	select {
	case record := <-a.records:
		return record
	case <-time.After(vattest.Patience):
		t.Fatal("there is no audit record")
		return [3]string{}
	}
}

// bent is root 2 with a change that our own tools refuse to make, signed by the right key.
func bent(t *testing.T, change func(format.RootDocument) error) []byte {
	t.Helper()
	good := root(t, 2, func(r *roots.Root) { r.Expires = january + 300*day }).Document
	old, err := capnp.Unmarshal(good[16:])
	if err != nil {
		t.Fatal(err)
	}
	from, err := old.Root()
	if err != nil {
		t.Fatal(err)
	}
	msg, _ := capnp.NewSingleSegmentMessage(nil)
	if err := msg.SetRoot(from); err != nil {
		t.Fatal(err)
	}
	doc, err := format.ReadRootRootDocument(msg)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(doc); err != nil {
		t.Fatal(err)
	}
	raw, err := msg.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	document := slices.Concat(good[:16], raw)
	return roots.Signed{Version: doc.Version(), Document: document,
		Signatures: []trust.Signature{signature(t, 2, document)}}.Encode()
}

// grantOf changes a grant: the first is the role root's, the second the role system's.
func grantOf(at int, change func(format.Grant) error) func(format.RootDocument) error {
	return func(d format.RootDocument) error {
		list, err := d.Grants()
		if err != nil {
			return err
		}
		return change(list.At(at))
	}
}

func keyOf(raw []byte) func(format.RootDocument) error {
	return func(d format.RootDocument) error {
		list, err := d.Keys()
		if err != nil {
			return err
		}
		return list.At(0).SetPublicKey(raw)
	}
}

func threshold(at int, n uint16) func(format.RootDocument) error {
	return grantOf(at, func(g format.Grant) error { g.SetThreshold(n); return nil })
}

// appsFor gives key 0 the role apps for each of these names.
func appsFor(names ...string) func(format.RootDocument) error {
	return func(d format.RootDocument) error {
		old, err := d.Grants()
		if err != nil {
			return err
		}
		list, err := d.NewGrants(int32(old.Len() + len(names)))
		for i := 0; err == nil && i < old.Len(); i++ {
			err = list.Set(i, old.At(i))
		}
		for i := 0; err == nil && i < len(names); i++ {
			g := list.At(old.Len() + i)
			g.SetThreshold(1)
			if err = g.SetRole("apps"); err != nil {
				return err
			}
			keys, fault := g.NewKeys(1)
			if fault != nil {
				return fault
			}
			keys.Set(0, 0)
			covered, fault := g.NewNames(1)
			if fault != nil {
				return fault
			}
			err = covered.Set(0, names[i])
		}
		return err
	}
}

// raised adds the order of the group to the second half of a signature: the same number by another name.
func raised(raw [64]byte) [64]byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989",
		10)
	s := slices.Clone(raw[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return [64]byte(slices.Concat(raw[:32], sum))
}

// Whatever is wrong with a root, the device says what, in its answer and in one audit record, and stays as it was: what
// is stored, what counts, and that the next good root is accepted.
func TestBadRoots(t *testing.T) {
	trustDir, rootsDir := begun(t, root(t, 1, nil))
	sink := audits{records: make(chan [3]string, 64)}
	d := logging(t, sink.client(), trustDir, rootsDir, january+1)
	before := files(t, rootsDir)
	small := append([]byte{1}, make([]byte, 31)...)
	million := root(t, 2, nil).Encode()
	binary.LittleEndian.PutUint32(million[20:], 1e6)
	loose := root(t, 2, nil)
	loose.Signatures[0].Bytes = raised(loose.Signatures[0].Bytes)
	version := func(v uint64) func(format.RootDocument) error {
		return func(d format.RootDocument) error { d.SetVersion(v); return nil }
	}
	for _, c := range []struct {
		name string
		raw  []byte
		want refusal.Reason
	}{
		{"a version left out", bent(t, version(3)), refusal.RootVersion},
		{"the highest version", bent(t, version(1<<64-1)), refusal.RootVersion},
		{"another root of this version", root(t, 1, func(r *roots.Root) { r.Issued++ }).Encode(), refusal.RootVersion},
		{"a threshold of 0", bent(t, threshold(1, 0)), refusal.BadRoot},
		{"a threshold of 0 for roots", bent(t, threshold(0, 0)), refusal.BadRoot},
		{"a threshold above the number of keys", bent(t, threshold(1, 3)), refusal.LocksOut},
		{"one that nobody can meet for roots", bent(t, threshold(0, 2)), refusal.LocksOut},
		{"a role that does not exist", bent(t, grantOf(1, func(g format.Grant) error { return g.SetRole("all") })),
			refusal.BadRoot},
		{"nobody signs sets", bent(t, grantOf(1, func(g format.Grant) error { return g.SetRole("apps") })),
			refusal.LocksOut},
		{"nobody signs roots", bent(t, grantOf(0, func(g format.Grant) error { return g.SetRole("apps") })),
			refusal.LocksOut},
		{"a role without keys", bent(t, grantOf(1, func(g format.Grant) error { _, err := g.NewKeys(0); return err })),
			refusal.LocksOut},
		{"names that overlap", bent(t, appsFor("camera.*", "camera.front")), refusal.BadRoot},
		{"a name twice", bent(t, appsFor("map", "map")), refusal.BadRoot},
		{"names apart, with a path", bent(t, appsFor("map", "../map")), refusal.BadRoot},
		{"a key of 31 bytes", bent(t, keyOf(small[:31])), refusal.BadRoot},
		{"a key of 33 bytes", bent(t, keyOf(append(small, 0))), refusal.BadRoot},
		{"no key", bent(t, keyOf(nil)), refusal.BadRoot},
		{"a key of small order", bent(t, keyOf(small)), refusal.BadKey},
		{"a key of zeros", bent(t, keyOf(make([]byte, 32))), refusal.BadKey},
		{"a key beside the curve", bent(t, keyOf(append([]byte{2}, make([]byte, 31)...))), refusal.BadKey},
		{"a signature that is not canonical", loose.Encode(), refusal.ThresholdNotMet},
		{"a million signatures", million, refusal.TooManySignatures},
		{"it expires before it is issued", bent(t, func(d format.RootDocument) error {
			d.SetExpiresUnixMs(january - 1)
			return nil
		}), refusal.BadRoot},
		{"it has expired", root(t, 2, func(r *roots.Root) { r.Expires = january + 1 }).Encode(), refusal.Expired},
		{"another family of devices", root(t, 2, func(r *roots.Root) { r.Family = "other" }).Encode(),
			refusal.WrongFamily},
		{"a later schema", bent(t, func(d format.RootDocument) error { d.SetSchemaVersion(2); return nil }),
			refusal.BadSchemaVersion},
		{"not a root", []byte("nxroot1\n"), refusal.BadRoot},
		{"over the limit", make([]byte, roots.MaxChain+1), refusal.BadRoot},
	} {
		if _, got := update(t, d, c.raw, nil); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got, want := sink.next(t), [3]string{"root", "refused", string(c.want)}; got != want {
			t.Errorf("%s: the audit record is %q, want %q", c.name, got, want)
		}
		if files(t, rootsDir) != before {
			t.Fatalf("%s: what was refused was stored", c.name)
		}
	}
	if v, got := update(t, d, bent(t, version(0)), nil); v != 1 || got != "" {
		t.Errorf("an older root: the device is at root %d, %q", v, got)
	}
	if v, got := update(t, d, root(t, 2, nil).Encode(), nil); v != 2 || got != "" {
		t.Errorf("the good one after all that: root %d, %q", v, got)
	}
	if got, want := sink.next(t), [3]string{"root", "ok", ""}; got != want {
		t.Errorf("the audit record of the good one is %q", got)
	}
	if len(sink.records) != 0 {
		t.Errorf("%d audit records too many", len(sink.records))
	}
	if !bytes.Contains([]byte(files(t, rootsDir)), root(t, 2, nil).Document) {
		t.Error("the good one is not stored")
	}
}

// If the root, or the time, cannot be stored, the step has failed rather than been refused, and there is one audit
// record. The device keeps the root that it has.
func TestRootThatCannotBeStored(t *testing.T) {
	for name, clock := range map[string]uint64{"the root": january + 1, "the time": january + day} {
		t.Run(name, func(t *testing.T) {
			trustDir, rootsDir := begun(t, root(t, 1, nil))
			sink := audits{records: make(chan [3]string, 64)}
			d := logging(t, sink.client(), trustDir, rootsDir, clock)
			d.Client("TrustReload", "initd").Release() // it has read its root
			aside := rootsDir + ".aside"
			if err := errors.Join(os.Rename(filepath.Join(rootsDir, "root"), aside),
				os.MkdirAll(filepath.Join(rootsDir, "root", "in the way"), 0o700)); err != nil {
				t.Fatal(err)
			}
			if v, got := update(t, d, root(t, 2, nil).Encode(), nil); v != 0 || got != refusal.IO {
				t.Errorf("got root %d, %q", v, got)
			}
			if got, want := sink.next(t), [3]string{"root", "failed", "io"}; got != want {
				t.Errorf("the audit record is %q, want %q", got, want)
			}
			if err := errors.Join(os.RemoveAll(filepath.Join(rootsDir, "root")),
				os.Rename(aside, filepath.Join(rootsDir, "root"))); err != nil {
				t.Fatal(err)
			}
			if v, got := update(t, d, root(t, 2, nil).Encode(), nil); v != 2 || got != "" {
				t.Errorf("with room for it: root %d, %q", v, got)
			}
		})
	}
}
