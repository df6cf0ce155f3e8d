package nxspack_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"nexus/libupdates/updatestest"
	"nexus/nxspack"
)

// What a set says about itself cannot drive the terminal, in JSON neither.
func TestJSONIsPrintable(t *testing.T) {
	t.Chdir(t.TempDir())
	key := updatestest.Key(1)
	bundle := updatestest.Bundle("alpha", "1.0.0", []string{"\u009b2J\u202e"}, []byte("program"), key)
	overwrite(t, "1.nxs", updatestest.Archive(t, key, "1.0.0", bundle))
	var stdout, stderr bytes.Buffer
	if status := set([]string{"inspect", "--json", "1.nxs"}, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d, %s", status, &stderr)
	}
	if !strings.Contains(stdout.String(), `"\u009b2J\u202e"`) {
		t.Errorf("got %q", &stdout)
	}
}

// A full disk behind the output is no success.
func TestOutputThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	t.Chdir(t.TempDir())
	key := updatestest.Key(1)
	overwrite(t, "1.nxs", updatestest.Archive(t, key, "1.0.0", updatestest.Bundle("alpha", "1.0.0", nil, []byte("program"), key)))
	for args, what := range map[string]string{"--help": "help", "--version": "help", "inspect 1.nxs": "the answer",
		"inspect --json 1.nxs": "the answer"} {
		var stderr bytes.Buffer
		status := nxspack.RunSetPacker(t.Context(), strings.Fields(args), full, &stderr)
		want := "nxs-pack: cannot print " + what + ": no space left on device\n"
		if status != 1 || stderr.String() != want {
			t.Errorf("%s: status %d, %q, want %q", args, status, &stderr, want)
		}
	}
}
