package mutants

import (
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/selftest/kit"
)

// A checker type-checks packages of the module with one file replaced. It reads what they import from the build cache.
type checker struct {
	files   *token.FileSet
	imports types.Importer
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./...")
	list.Dir = module
	out, err := list.Output()
	kit.Must(t, err)
	compiled := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, export, _ := strings.Cut(strings.TrimSpace(line), "\t")
		compiled[path] = export
	}
	c := &checker{files: token.NewFileSet()}
	c.imports = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(compiled[path])
	})
	return c
}

// check reports why the package of a changed file does not build. A file of another platform is not looked at.
func (c *checker) check(changed change) error {
	dir := filepath.Join(module, filepath.Dir(changed.file))
	pkg, err := build.ImportDir(dir, 0)
	if err != nil || !slices.Contains(pkg.GoFiles, filepath.Base(changed.file)) {
		return err
	}
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		var content any
		if name == filepath.Base(changed.file) {
			content = changed.content
		}
		file, err := parser.ParseFile(c.files, filepath.Join(dir, name), content, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	var all []error
	config := types.Config{Importer: c.imports, Error: func(err error) { all = append(all, err) }}
	config.Check(pkg.Name, c.files, files, nil)
	return errors.Join(all...)
}
