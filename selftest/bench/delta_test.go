package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/selftest/kit"
)

// TestPatchRow makes and applies a patch of ours, and notices a tool that makes something else than the new file.
func TestPatchRow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	p := Place{Bin: t.TempDir(), Work: t.TempDir(), Out: t.TempDir()}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.Bin+"/", "./patch").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, err = run(t.Context(), p, `cp "$BIN/patch" old; { cat old; echo more; } >new`)
	kit.Must(t, err)
	got, err := patching(pair{}).Rows[0].Run(t.Context(), p)
	kit.Must(t, err)
	whole, err := unpatched(t.Context(), p)
	kit.Must(t, err)
	if got[0] <= 0 || got[0] > whole[0]/100 || whole[1] != 100 || got[3] < whole[3] {
		t.Errorf("%v is ours, %v is the whole program and a process that does nothing", got, whole)
	}
	_, err = patched(`echo >"$OUT/patch"`, `cp old "$OUT/new"`)(t.Context(), p)
	if err == nil || !strings.HasPrefix(err.Error(), "it makes something else: ") {
		t.Errorf("got %v from a tool that makes something else", err)
	}
	if _, err := measured(t.Context(), Place{Bin: p.Bin, Out: filepath.Join(p.Out, "none")}, "true"); err == nil {
		t.Error("a script without a place passes")
	}
}
