package nxs_test

import (
	"bytes"
	"fmt"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// The bytes of version 1 of the format. They never change: the same bundles and key give the same set for ever.
func TestArchiveGolden(t *testing.T) {
	const want = "797c61149d0c651061584c3314cb8f85a3479984f44f84a6e897012ec70ce762"
	if got := nxs.Sum(smallArchive(t)).String(); got != want {
		t.Fatalf("got %s", got)
	}
}

// Sets that others make to the same contract: GNU magic with fields left empty, a checksum of seven digits, a directory entry before
// each bundle, messages of many segments.
func TestReadsSetsOfOtherPackers(t *testing.T) {
	made := small()
	for i := range made {
		made[i].Manifest = segmented(t, made[i].Manifest)
		made[i].Entry.ManifestSHA256 = nxs.Sum(made[i].Manifest)
	}
	index := segmented(t, mustEncode(t, updatestest.Index(updatestest.Key(1), "1.1.0", made...)))
	all := entriesOf(t, index, made...)
	raw := pack(all[0], all[1], dir("alpha.app.nxb/"), all[2], all[3], dir("beta.nxb/"), all[4], all[5])
	for at := 0; at < len(raw)-1024; {
		block := raw[at : at+512]
		var size int
		if _, err := fmt.Sscanf(string(block[124:135]), "%o", &size); err != nil {
			t.Fatal(err)
		}
		copy(block[257:], "ustar  \x00")
		clear(block[329:345])
		seal(block)
		copy(block[148:], "0"+string(block[148:154])+"\x00")
		at += 512 + (size+511)/512*512
	}
	got, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range made {
		if !bytes.Equal(got.payloads[i], want.Payload) || got.bundles[i].Manifest.Name != want.Entry.Name {
			t.Errorf("got bundle %+v", got.bundles[i])
		}
	}
}
