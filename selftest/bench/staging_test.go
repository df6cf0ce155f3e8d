package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"nexus/selftest/kit"
)

// TestStagingRow runs the rows that stage once, with a small set and the current programs, because they need more than
// a script.
func TestStagingRow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	bin := t.TempDir()
	for _, pkg := range []string{"nexus/daemons/nexus", "nexus/nx", "nexus/nxspack/nxs-pack"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+"/", pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // a confined daemon may not run the dynamic linker
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	p, err := newPlace(bin, t.TempDir())
	kit.Must(t, err)
	if p.Input, err = (Input{"tiny", 2, 1 << 20, false}).make(p); err != nil {
		t.Fatal(err)
	}
	if p.Work, err = p.fresh("work"); err != nil {
		t.Fatal(err)
	}
	if p.Out, err = p.fresh("out"); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), p, ready); err != nil {
		t.Fatal(err)
	}
	got, err := stageOnce(t.Context(), p, filepath.Join(p.Work, "set.nxs"))
	if err != nil || got[seconds] <= 0 || got[peak] < 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, row := range carrying().Rows {
		if p.Out, err = p.fresh("out"); err != nil {
			t.Fatal(err)
		}
		if got, err := row.Run(t.Context(), p); err != nil || got[seconds] <= 0 {
			t.Errorf("%s: %+v, %v", row.Name, got, err)
		}
	}
}
