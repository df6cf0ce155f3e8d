package mutants

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/selftest/kit"
)

const module = "../.."

// TestEveryMutantApplies keeps the list from rotting: each fault finds its text, exactly once, and leaves a package
// that builds; the tests that must notice are there.
func TestEveryMutantApplies(t *testing.T) {
	seen := map[string]bool{}
	all, err := mutants()
	kit.Must(t, err)
	builds := newChecker(t)
	for _, m := range all {
		t.Run(m.id, func(t *testing.T) {
			if seen[m.id] {
				t.Error("there is another mutant of this name")
			}
			seen[m.id] = true
			if m.breaks == "" {
				t.Error("it does not say which promise it breaks")
			}
			t.Logf("in %s, breaks: %s", m.place, m.breaks)
			faulty, err := m.apply(module)
			kit.Must(t, err)
			if err := builds.check(faulty); err != nil {
				t.Error(err)
			}
			for _, pkg := range strings.Fields(m.tests.packages) {
				tests, err := filepath.Glob(filepath.Join(module, pkg, "*_test.go"))
				if err != nil || len(tests) == 0 {
					t.Errorf("%s has no tests (%v)", pkg, err)
				}
			}
		})
	}
	if len(seen) < 25 {
		t.Errorf("there are %d mutants, want at least 25", len(seen))
	}
}

// TestApplyRefuses refuses a text that stands nowhere, or twice.
func TestApplyRefuses(t *testing.T) {
	dir := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "x.go"), []byte("f(one,\n\t\ttwo) two"), 0o600))
	for _, old := range []string{"three", "two", "one two"} {
		if _, err := (mutant{id: "m", old: old}).apply(dir); err == nil {
			t.Errorf("%s: was applied", old)
		}
	}
	got, err := mutant{id: "m", old: "f(one, two)", new: "no"}.apply(dir)
	if err != nil || got.file != "x.go" || string(got.content) != "no two" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestParse refuses what is no fault.
func TestParse(t *testing.T) {
	const head = "id: breaks this\nin ., seen by ./a ./b -run X\n"
	for name, block := range map[string]string{
		"no text":            "id: breaks this\nin ., seen by ./a",
		"no promise":         "id\nin ., seen by ./a\n-x\n+y",
		"no folder":          "id: breaks this\nseen by ./a\n-x\n+y",
		"no tests":           "id: breaks this\nin .\n-x\n+y",
		"nothing stands":     head + "+y",
		"nothing changes":    head + "-x\n+x",
		"two pieces":         head + "-x\n+y\n-z",
		"a line without one": head + "-x\ny",
	} {
		if m, err := parse(block); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
	want := mutant{"id", "breaks this", ".", "x\n\ty", "z", suite{"./a ./b", "X"}}
	if m, err := parse(head + "-x\n-\ty\n+z"); err != nil || m != want {
		t.Errorf("read as %+v, %v", m, err)
	}
}

// TestRead tells a failed test from a failed build and from a time limit.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, events string
		want         finding
	}{
		{"green", `{"Action":"pass","Package":"nexus/a"}`, finding{}},
		{"red", `{"Action":"fail","Package":"nexus/a","Test":"TestX/y"}
{"Action":"fail","Package":"nexus/a","Test":"TestX"}
{"Action":"fail","Package":"nexus/a"}`, finding{red: true, by: "a.TestX/y"}},
		{"time limit", `{"Action":"output","Package":"nexus/a","Output":"panic: test timed out after 1s\n"}
{"Action":"fail","Package":"nexus/a"}`, finding{red: true, by: "its time limit", output: "panic: test timed out after 1s\n"}},
		{"no build", `{"Action":"build-fail","ImportPath":"nexus/a"}
{"Action":"fail","Package":"nexus/b","FailedBuild":"nexus/a"}`, finding{unbuilt: true}},
	} {
		if got := read([]byte(c.events)); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
