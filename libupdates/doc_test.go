package libupdates

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTheMapIsRight wants every package on the map, and none to use a package that stands above it.
func TestTheMapIsRight(t *testing.T) {
	layers := mapped(t)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() || name == "golden" || name == "updatestest" {
			continue
		}
		layer := slices.Index(layers, name)
		if layer < 0 {
			t.Errorf("%s is not on the map", name)
		}
		for _, used := range usedBy(t, name) {
			if slices.Index(layers, used) < layer {
				t.Errorf("%s uses %s, which stands above it", name, used)
			}
		}
	}
}

// mapped are the packages in the order of the map.
func mapped(t *testing.T) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(f.Doc.Text()) {
		if name, isRow := strings.CutPrefix(line, "\t"); isRow {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}

// usedBy are the packages beside it that a package imports outside its tests.
func usedBy(t *testing.T, name string) (used []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(name, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if other, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "nexus/libupdates/"); ok {
				used = append(used, other)
			}
		}
	}
	return used
}
