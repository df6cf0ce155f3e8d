package keystored_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/keystored"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// Keys of the tests: 1 is the folder's, 2 signs roots, 3 and 4 sign sets.
const january = 1_767_225_600_000 // 2026-01-01

// stopped is a clock that stands still.
type stopped struct {
	plat.RealClock
	at time.Time
}

func (s stopped) Now() time.Time { return s.at }

// device runs keystored with a folder of keys and a folder for roots, at a time.
func device(t testing.TB, trustDir, rootsDir string, at uint64) *vattest.Daemon {
	t.Helper()
	return logging(t, warnings(make(chan string, 64)).client(), trustDir, rootsDir, at)
}

// logging is device with a log.
func logging(t testing.TB, log capnp.Client, trustDir, rootsDir string, at uint64) *vattest.Daemon {
	t.Helper()
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return keystored.Run(ctx, b, plat.Host{Clock: stopped{at: time.UnixMilli(int64(at))}})
	})
	d.Provide("LogSink", log)
	d.Dir("trust", trustDir)
	d.Dir("roots", rootsDir)
	return d
}

func public(numbers ...byte) (keys []trust.PublicKey) {
	for _, n := range numbers {
		keys = append(keys, updatestest.Key(n).Public())
	}
	slices.SortFunc(keys, func(a, b trust.PublicKey) int { return bytes.Compare(a[:], b[:]) })
	return keys
}

// root is a root of that version, with changes, signed by key 2: one key signs roots, two of two sign sets.
func root(t testing.TB, version uint64, change func(*roots.Root)) roots.Signed {
	t.Helper()
	r := roots.Root{Version: version, Family: "demo", Issued: january, Grants: []roots.Grant{
		{Role: trust.RoleRoot, Threshold: 1, Keys: public(2)},
		{Role: trust.RoleSystem, Threshold: 2, Keys: public(3, 4)},
	}}
	for _, key := range public(2, 3, 4) {
		r.Keys = append(r.Keys, roots.Key{Public: key})
	}
	if change != nil {
		change(&r)
	}
	document, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	return roots.Signed{Version: version, Document: document, Signatures: []trust.Signature{signature(t, 2, document)}}
}

func signature(t testing.TB, n byte, message []byte) trust.Signature {
	t.Helper()
	return trust.Signature{Key: updatestest.Key(n).Public(),
		Bytes: [ed25519.SignatureSize]byte(sign(t, updatestest.Key(n), message))}
}

// update gives roots to keystored as initd does.
func update(t testing.TB, d *vattest.Daemon, raw, pin []byte) (version uint64, reason refusal.Reason) {
	t.Helper()
	version, _, reason = updateBeside(t, d, raw, pin)
	return version, reason
}

// slot is what a slot holds.
type slot struct {
	index, proof []byte
	needed       bool
}

// setSlots fills the list of what the slots hold.
func setSlots(make func(int32) (keystore.Installed_List, error), slots []slot) error {
	list, err := make(int32(len(slots)))
	for i := 0; err == nil && i < len(slots); i++ {
		list.At(i).SetNeeded(slots[i].needed)
		err = errors.Join(list.At(i).SetIndex(slots[i].index), list.At(i).SetSignature(slots[i].proof))
	}
	return err
}

// updateBeside is update on a device whose slots hold something.
func updateBeside(t testing.TB, d *vattest.Daemon, raw, pin []byte, slots ...slot) (version uint64, stopped []string,
	reason refusal.Reason) {
	t.Helper()
	answer, release := keystore.TrustReload(d.Client("TrustReload", "initd")).Update(t.Context(),
		func(p keystore.TrustReload_update_Params) error {
			return errors.Join(p.SetRoots(raw), p.SetPin(pin), setSlots(p.NewInstalled, slots))
		})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	list, err := res.Stopped()
	if err != nil {
		t.Fatal(err)
	}
	if stopped, err = vat.Texts(list); err != nil {
		t.Fatal(err)
	}
	return res.Version(), stopped, reasonOf(t)(res.Refusal())
}

func reasonOf(t testing.TB) func(keystore.Refusal, error) refusal.Reason {
	return func(r keystore.Refusal, err error) refusal.Reason {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.Reason()
		if err != nil {
			t.Fatal(err)
		}
		return refusal.Reason(text)
	}
}

// admit asks as updated does.
func admit(t *testing.T, d *vattest.Daemon, index, proof []byte) refusal.Reason {
	t.Helper()
	answer, release := keystore.SetAdmission(d.Client("SetAdmission", "updated")).Admit(t.Context(),
		func(p keystore.SetAdmission_admit_Params) error {
			if err := p.SetMessage_(index); err != nil {
				return err
			}
			return p.SetSignature(proof)
		})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	return reasonOf(t)(res.Refusal())
}

func takeRoots(t *testing.T, d *vattest.Daemon, raw []byte, slots ...slot) refusal.Reason {
	t.Helper()
	answer, release := keystore.SetAdmission(d.Client("SetAdmission", "updated")).TakeRoots(t.Context(),
		func(p keystore.SetAdmission_takeRoots_Params) error {
			return errors.Join(p.SetRoots(raw), setSlots(p.NewInstalled, slots))
		})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	return reasonOf(t)(res.Refusal())
}

// index is one that key n published at a time, valid until another, and its proof with further signatures.
func index(t testing.TB, n byte, made, expires uint64, more ...byte) (raw, proof []byte) {
	t.Helper()
	x := updatestest.Index(updatestest.Key(n), "1.0.0",
		updatestest.Bundle("alpha", "1.0.0", nil, []byte("payload"), updatestest.Key(n)))
	x.TimestampUnixMs, x.ExpiresUnixMs = made, expires
	raw, err := x.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var list []trust.Signature
	for _, m := range more {
		list = append(list, signature(t, m, raw))
	}
	return raw, slices.Concat(sign(t, updatestest.Key(n), raw), trust.EncodeSignatures(list))
}

func files(t *testing.T, dir string) (content string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		content += entry.Name() + "\x00" + string(raw) + "\x00"
	}
	return content
}

// A device with a folder of keys goes over to a root in one step, and over a restart. It trusts at no moment what
// neither of them does, and what runs is verified all the while.
func TestFromTheFolderToARoot(t *testing.T) {
	trustDir, rootsDir := trusting(t, t.TempDir(), "system", updatestest.Key(1)), t.TempDir()
	d := device(t, trustDir, rootsDir, january+1)
	first := root(t, 1, nil)
	pin := first.Digest()
	byFolder, folderProof := index(t, 1, 0, 0)
	byOne, oneProof := index(t, 3, 0, 0)
	byTwo, twoProof := index(t, 3, 0, 0, 4)

	want := func(what string, got, want refusal.Reason) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	want("by the folder", admit(t, d, byFolder, folderProof), "")
	want("by the root's keys, too early", admit(t, d, byTwo, twoProof), refusal.UntrustedPublisher)
	want("roots of a set, without a root", takeRoots(t, d, first.Encode()), "")
	for what, pin := range map[string][]byte{"no pin": nil, "another pin": make([]byte, 32), "half a pin": pin[:16]} {
		_, reason := update(t, d, first.Encode(), pin)
		want(what, reason, refusal.RootNotPinned)
	}
	if got := files(t, rootsDir); got != "" {
		t.Fatalf("refusals left %q", got)
	}
	if version, reason := update(t, d, first.Encode(), pin[:]); version != 1 || reason != "" {
		t.Fatalf("the first root is refused as %q", reason)
	}
	check := func(d *vattest.Daemon) {
		t.Helper()
		want("by the folder", admit(t, d, byFolder, folderProof), refusal.UntrustedPublisher)
		want("by one of two", admit(t, d, byOne, oneProof), refusal.ThresholdNotMet)
		want("by two of two", admit(t, d, byTwo, twoProof), "")
		if _, reason := verify(t, d, "system", byFolder, folderProof); reason != "" {
			t.Errorf("what the folder's key signed no longer runs: %s", reason)
		}
		if _, reason := verify(t, d, "system", byOne, oneProof); reason != string(refusal.ThresholdNotMet) {
			t.Errorf("what one key signed runs: %q", reason)
		}
	}
	check(d)
	check(device(t, trustDir, rootsDir, january+1))
}

// Roots come with sets and from the operator. A refused one changes nothing, on disk or in force.
func TestRootsOfASet(t *testing.T) {
	trustDir, rootsDir := trusting(t, t.TempDir(), "system", updatestest.Key(1)), t.TempDir()
	d := device(t, trustDir, rootsDir, january+1)
	first := root(t, 1, nil)
	pin := first.Digest()
	if _, reason := update(t, d, first.Encode(), pin[:]); reason != "" {
		t.Fatal(reason)
	}
	before := files(t, rootsDir)
	unsigned := root(t, 2, nil)
	unsigned.Signatures = nil
	for what, c := range map[string]struct {
		raw  []byte
		want refusal.Reason
	}{
		"a gap":             {root(t, 3, nil).Encode(), refusal.RootVersion},
		"another family":    {root(t, 2, func(r *roots.Root) { r.Family = "other" }).Encode(), refusal.WrongFamily},
		"expired":           {root(t, 2, func(r *roots.Root) { r.Expires = january + 1 }).Encode(), refusal.Expired},
		"not signed":        {unsigned.Encode(), refusal.Unsigned},
		"no root":           {[]byte("root"), refusal.BadRoot},
		"nothing":           {nil, refusal.BadRoot},
		"the first, twice":  {slices.Concat(first.Encode(), first.Encode()), ""},
		"a good and a gap":  {slices.Concat(root(t, 2, nil).Encode(), root(t, 4, nil).Encode()), refusal.RootVersion},
		"the first, forged": {root(t, 1, func(r *roots.Root) { r.Issued++ }).Encode(), refusal.RootVersion},
	} {
		if got := takeRoots(t, d, c.raw); got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
		if _, got := update(t, d, c.raw, pin[:]); got != c.want {
			t.Errorf("%s, by the operator: got %q, want %q", what, got, c.want)
		}
	}
	if files(t, rootsDir) != before {
		t.Error("what was refused was stored")
	}
	chain := slices.Concat(first.Encode(), root(t, 2, nil).Encode(), root(t, 3, nil).Encode())
	if got := takeRoots(t, d, chain); got != "" {
		t.Errorf("a chain is refused as %q", got)
	}
	if version, reason := update(t, d, first.Encode(), pin[:]); version != 3 || reason != "" {
		t.Errorf("after the chain the root is %d, %q", version, reason)
	}
}

// The time that a set attests stays, over a restart with a clock that was never set.
func TestTimeIsKept(t *testing.T) {
	trustDir, rootsDir := trusting(t, t.TempDir(), "system", updatestest.Key(1)), t.TempDir()
	d := device(t, trustDir, rootsDir, 1)
	first := root(t, 1, nil)
	pin := first.Digest()
	if _, reason := update(t, d, first.Encode(), pin[:]); reason != "" {
		t.Fatal(reason)
	}
	raw, proof := index(t, 3, january+10, january+20, 4)
	late, lateProof := index(t, 3, january+30, 0, 4)
	if got := admit(t, d, raw, proof); got != "" {
		t.Errorf("a valid set is refused as %q", got)
	}
	if got := admit(t, d, late, lateProof[:64]); got != refusal.ThresholdNotMet {
		t.Errorf("one signature is %q", got)
	}
	if got := admit(t, d, raw, proof); got != "" {
		t.Errorf("a refused set attested the time: %q", got)
	}
	if got := admit(t, d, late, lateProof); got != "" {
		t.Errorf("a later set is refused as %q", got)
	}
	for _, d := range []*vattest.Daemon{d, device(t, trustDir, rootsDir, 1)} {
		if got := admit(t, d, raw, proof); got != refusal.Expired {
			t.Errorf("an expired set is %q", got)
		}
		if _, reason := verify(t, d, "system", raw, proof); reason != "" {
			t.Errorf("an expired set no longer runs: %s", reason)
		}
	}
}

// One damaged copy of the root is mended. Without any, the device does not go back to the folder.
func TestDamagedRoot(t *testing.T) {
	trustDir, rootsDir := trusting(t, t.TempDir(), "system", updatestest.Key(1)), t.TempDir()
	first := root(t, 1, nil)
	pin := first.Digest()
	if _, reason := update(t, device(t, trustDir, rootsDir, january), first.Encode(), pin[:]); reason != "" {
		t.Fatal(reason)
	}
	good := files(t, rootsDir)
	for _, name := range []string{"root", "root.copy"} {
		put(t, rootsDir, name, "torn")
		d := device(t, trustDir, rootsDir, january)
		d.AwaitReady()
		if files(t, rootsDir) != good {
			t.Errorf("%s is not mended", name)
		}
	}
	put(t, rootsDir, "root", "torn")
	put(t, rootsDir, "root.copy", "torn")
	if err := device(t, trustDir, rootsDir, january).Await(); err == nil {
		t.Error("a device with a root that cannot be read goes by something else")
	}
}
