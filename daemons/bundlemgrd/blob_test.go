package bundlemgrd_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3/exc"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

func TestBlobs(t *testing.T) {
	v := start(t)
	hello := service("1.0.0")
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", hello, data("1.0.0")), 1)
	for what, want := range map[string][]byte{"payload": hello.Payload, "manifest": hello.Manifest} {
		blob, err := open(t, v.manager, what, "hello.app")
		if err != nil {
			t.Fatal(err)
		}
		defer blob.Release()
		if got := readAt(t, blob, 0, math.MaxUint32); !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, want the %d that were staged", what, len(got), len(want))
		}
		if got := readAt(t, blob, 3, 5); !bytes.Equal(got, want[3:8]) {
			t.Errorf("%s from 3, 5 bytes: %q, want %q", what, got, want[3:8])
		}
		for _, offset := range []uint64{uint64(len(want)), uint64(len(want)) + 1, math.MaxInt64, math.MaxUint64} {
			if got := readAt(t, blob, offset, 10); len(got) != 0 {
				t.Errorf("%s from %d: %d bytes, want none", what, offset, len(got))
			}
		}
		if got := readAt(t, blob, 0, 0); len(got) != 0 {
			t.Errorf("%s, none asked for: %d bytes", what, len(got))
		}
		wantSize(t, blob, want)
	}
}

func wantSize(t *testing.T, blob bundle.Blob, want []byte) {
	t.Helper()
	answer, release := blob.Size(t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := res.Sha256()
	if err != nil {
		t.Fatal(err)
	}
	if sum := nxs.Sum(want); res.Bytes() != uint64(len(want)) || !bytes.Equal(digest, sum[:]) {
		t.Errorf("size %d, digest %x, want %d, %s", res.Bytes(), digest, len(want), sum)
	}
}

func TestReadIsBounded(t *testing.T) {
	v := start(t)
	large := updatestest.Bundle("large", "1.0.0", nil, make([]byte, bundle.MaxReadBytes+1), updatestest.Key(1))
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", large), 1)
	blob, err := open(t, v.manager, "payload", "large")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Release()
	if got := readAt(t, blob, 0, math.MaxUint32); len(got) != int(bundle.MaxReadBytes) {
		t.Errorf("%d bytes at once, want %d", len(got), bundle.MaxReadBytes)
	}
	if got := readAt(t, blob, uint64(bundle.MaxReadBytes), math.MaxUint32); len(got) != 1 {
		t.Errorf("%d bytes at the end, want 1", len(got))
	}
}

func TestUnknownBundles(t *testing.T) {
	v := start(t)
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", service("1.0.0")), 1)
	for _, name := range []string{"", "hello", "hello.app.nxb", "../b/hello.app", "hello.app/..",
		strings.Repeat("x", 1<<20)} {
		for _, what := range []string{"payload", "manifest"} {
			if _, err := open(t, v.manager, what, name); refusal.Of(convert.Excepted(err)) != refusal.UnknownBundle {
				t.Errorf("%s of %.20q: %v, want unknown-bundle", what, name, err)
			}
		}
		answer, release := v.manager.Query(t.Context(),
			func(p bundle.BundleMgr_query_Params) error { return p.SetName(name) })
		if res, err := answer.Struct(); err != nil || res.Found() {
			t.Errorf("query of %.20q: found %t, %v", name, res.Found(), err)
		}
		release()
	}
}

// TestBlobOutlivesItsSet reads a blob after its publication has been replaced and its set removed from disk.
func TestBlobOutlivesItsSet(t *testing.T) {
	v := start(t)
	old := service("1.0.0")
	digest := v.stage(bootctl.A, "1.0.0", old)
	v.mustPublish(bootctl.A, digest, 1)
	payload, err := open(t, v.manager, "payload", "hello.app")
	if err != nil {
		t.Fatal(err)
	}
	defer payload.Release()
	v.mustPublish(bootctl.B, v.stage(bootctl.B, "1.1.0", service("1.1.0")), 2)
	v.stage(bootctl.A, "1.2.0", service("1.2.0"))
	if _, err := os.Stat(filepath.Join(v.dir, "sets", digest.String())); !os.IsNotExist(err) {
		t.Fatalf("the old set is still on the disk: %v", err)
	}
	if got := readAt(t, payload, 0, math.MaxUint32); !bytes.Equal(got, old.Payload) {
		t.Error("the blob changed")
	}
}

// TestOpenBlobsAreBounded checks that one client cannot exhaust what all clients share.
func TestOpenBlobsAreBounded(t *testing.T) {
	v := start(t)
	v.mustPublish(bootctl.A, v.stage(bootctl.A, "1.0.0", service("1.0.0")), 1)
	var blobs []bundle.Blob
	for range 64 {
		blob, err := open(t, v.manager, "payload", "hello.app")
		if err != nil {
			t.Fatalf("blob %d: %v", len(blobs), err)
		}
		defer blob.Release()
		blobs = append(blobs, blob)
	}
	if _, err := open(t, v.manager, "payload", "hello.app"); !exc.IsType(err, exc.Overloaded) {
		t.Errorf("blob 65: %v, want overloaded", err)
	}
	other := bundle.BundleMgr(v.daemon.Client("BundleMgr", "packagefsd"))
	blob, err := open(t, other, "payload", "hello.app")
	if err != nil {
		t.Errorf("another client: %v", err)
	}
	blob.Release()
	blobs[0].Release()
	for range 10000 { // until the daemon has processed the release; each attempt is a call
		blob, err = open(t, v.manager, "payload", "hello.app")
		if err == nil {
			blob.Release()
			return
		}
	}
	t.Errorf("after a release: %v", err)
}
