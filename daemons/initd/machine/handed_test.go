package machine

import (
	"os"
	"slices"
	"strings"
	"testing"

	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
)

// TestHandedIsReadAsItWasWritten goes one way and back, with an open file that is the same file afterwards.
func TestHandedIsReadAsItWasWritten(t *testing.T) {
	memory, err := plat.Memory("record")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := memory.WriteString("the record"); err != nil {
		t.Fatal(err)
	}
	left, err := plat.Duplicate(memory)
	if err != nil {
		t.Fatal(err)
	}
	memory.Close()
	want := Handed{Core: nxs.Sum([]byte("core")), Attempt: 7, Image: "/a place/with & and ,/nexus",
		Revoked: []string{"execd bundle/a", "status Operator"}, Excuse: "execd bundle/a",
		Files: map[string]*os.File{"record": left}}
	got, err := ParseHanded(want.String())
	if err != nil {
		t.Fatal(err)
	}
	if got.Core != want.Core || got.Attempt != 7 || got.Image != want.Image || !got.Given() ||
		!slices.Equal(got.Revoked, want.Revoked) || got.Excuse != want.Excuse {
		t.Errorf("got %+v", got)
	}
	file := got.Take("record")
	text := make([]byte, 10)
	if _, err := file.ReadAt(text, 0); err != nil || string(text) != "the record" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if got.Take("record") != nil {
		t.Error("a file was taken twice")
	}
}

// TestHandedGrows has a later core leave what this one does not know.
func TestHandedGrows(t *testing.T) {
	got, err := ParseHanded("attempt=7&image=%2Fbin%2Fnexus&mood=good")
	if err != nil || got.Attempt != 7 || !got.Core.IsZero() || len(got.Files) != 0 || len(got.Revoked) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHandedIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "cannot take over: ",
		"image=%2Fbin%2Fnexus":           "cannot take over: ",
		"attempt=-1":                     "cannot take over: ",
		"attempt=1&core=abc":             "cannot take over: cannot parse digest",
		"attempt=1&file.record=12345678": "cannot take over: cannot take over file record: bad file descriptor",
		"attempt=1&file.record=-1":       "cannot take over: cannot take over file record: ",
		"attempt=1&core=%zz":             "cannot take over: ",
	} {
		if _, err := ParseHanded(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
