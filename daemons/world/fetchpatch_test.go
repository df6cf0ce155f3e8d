package world_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"nexus/capnpgen/fetch"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
	"nexus/nxspack"
	"nexus/oci/ocitest"
)

// pushedDelta pushes two sets, and a delta from one to the other. It returns references to both, and the digests of the
// delta's index and of its patch.
func pushedDelta(t *testing.T, host string) (before, after, index, patch string) {
	t.Helper()
	key, dir := updatestest.Key(1), t.TempDir()
	old := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(old)
	fresh := append([]byte("the news"), old...)
	made := func(version string, payload []byte) []updatestest.Made {
		return []updatestest.Made{updatestest.Bundle("alpha", version, nil, payload, key)}
	}
	raw := updatestest.Delta(t, key, "2.0.0", made("1.0.0", old), made("2.0.0", fresh))
	for name, content := range map[string][]byte{"1.nxs": updatestest.Archive(t, key, "1.0.0", made("1.0.0", old)...),
		"2.nxs": updatestest.Archive(t, key, "2.0.0", made("2.0.0", fresh)...), "2.nxdelta": raw} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, after = "oci://"+host+"/demo:1", "oci://"+host+"/demo:2"
	for _, args := range [][]string{{"push", filepath.Join(dir, "1.nxs"), before},
		{"push", filepath.Join(dir, "2.nxs"), after, "--delta", filepath.Join(dir, "2.nxdelta")}} {
		var stdout, stderr bytes.Buffer
		if nxspack.RunSetPacker(t.Context(), args, &stdout, &stderr) != 0 {
			t.Fatalf("cannot push: %s", &stderr)
		}
	}
	d := nxs.NewDeltaReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(),
		func([]byte, []byte) (trust.PublicKey, error) { return key.Public(), nil })
	head, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return before, after, nxs.Sum(head.RawDelta).String(), nxs.Sum(raw[b.Offset:][:b.PatchSize]).String()
}

// truth is what comes of no lie.
const truth = "a patch"

// TestADeviceCopesWithLiesAboutDeltas tells a device lies about a delta. The payload comes whole, for the reason that
// the lie has, at a bounded cost; without a lie it is patched.
func TestADeviceCopesWithLiesAboutDeltas(t *testing.T) {
	l, host := ocitest.Lying(t)
	before, after, index, patch := pushedDelta(t, host)
	w := shared(t)
	o := w.Operator()
	for _, c := range append(ocitest.DeltaLies(index, patch), ocitest.Case{Name: "the truth", Reason: truth},
		ocitest.Case{Name: "the truth by the API", Lie: ocitest.ListByAPI(), Reason: truth}) {
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			l.Lie = nil
			if _, err := fetchFrom(t, ctx, w, before); err != nil {
				t.Fatal(err)
			}
			defer routes(t, o)["to the system"].discard(t, ctx, w)
			l.Lie = c.Lie
			l.Requests.Store(0)
			client, release, err := facetsOf["Fetcher"](ctx, as(t, ctx, w, "stage"))
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			set, got, err := updateclient.Fetch(ctx, fetch.Fetcher(client), after, capupdate.StageProgress{})
			if err != nil || set.Version != "2.0.0" {
				t.Fatalf("got %+v, %v", set, err)
			}
			why := ""
			switch {
			case len(got.Unpatched) > 0:
				why = string(refusal.Of(got.Unpatched[0].Why))
			case got.Patched > 0:
				why = truth
			}
			if why != c.Reason {
				t.Errorf("got %q, want %q", why, c.Reason)
			}
			if n := l.Requests.Load(); n > maxRequests {
				t.Errorf("it cost %d requests", n)
			}
		})
	}
}
