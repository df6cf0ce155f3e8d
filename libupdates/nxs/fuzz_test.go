package nxs_test

import (
	"bytes"
	"io"
	"reflect"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// FuzzReader reads any bytes like a device that trusts every signature, so that the fuzzer gets past it.
func FuzzReader(f *testing.F) {
	f.Add(smallArchive(f))
	for _, c := range hostileArchives(f) {
		f.Add(c.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), believe)
		_, err := in.Open()
		for bundles := 0; err == nil; bundles++ {
			if bundles > nxs.MaxBundles {
				t.Fatal("more bundles than there can be")
			}
			_, err = in.Next()
		}
		if err.Error() != "EOF" && refusal.Of(err) == refusal.IO {
			t.Fatalf("no refusal: %v", err)
		}
		_, _, asFile := nxs.VerifyFile(t.Context(), bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), believe)
		if asFile == nil {
			asFile = io.EOF
		}
		if asFile.Error() != err.Error() {
			t.Fatalf("as a file: %v, as a stream: %v", asFile, err)
		}
	})
}

func believe(message, _ []byte) (trust.PublicKey, error) {
	x, _ := nxs.ParseIndex(message)
	return x.Publisher, nil
}

// FuzzIndex: everything that can be parsed can be encoded, and the result parses to the same index.
func FuzzIndex(f *testing.F) {
	f.Add(smallIndex(f))
	f.Add(mustEncode(f, updatestest.Index(updatestest.Key(1), "1.0.0", small()[:1]...)))
	for _, c := range hostileIndexes(f) {
		f.Add(c.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := nxs.ParseIndex(raw)
		if err != nil {
			if refusal.Of(err) == refusal.IO {
				t.Fatalf("no refusal: %v", err)
			}
			return
		}
		again, err := nxs.ParseIndex(mustEncode(t, x))
		if err != nil || !reflect.DeepEqual(again, x) {
			t.Fatalf("got %+v, %v, want %+v", again, err, x)
		}
	})
}
