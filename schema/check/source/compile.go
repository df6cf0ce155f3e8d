// Package source compiles schema files with the capnp compiler: files of the working tree, or of a git revision. It
// does not interpret the result.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// An Input says what to compile, and how to find imports.
type Input struct {
	Paths            []string // files, or directories with .capnp files below them
	Imports          []string // where to find imports that start with /
	NoStandardImport bool     // do not search the compiler's own directories
	Prefix           string   // removed from the files' names; if empty, the directory, if there is just one
}

// Compile returns the compiled request.
func Compile(in Input) ([]byte, error) {
	compiler, err := exec.LookPath("capnp")
	if err != nil {
		return nil, errors.New("cannot find capnp: install the package capnproto")
	}
	files, err := Files(in.Paths)
	if err != nil {
		return nil, err
	}
	args := []string{"compile", "-o-"}
	if in.NoStandardImport {
		args = append(args, "--no-standard-import")
	}
	for _, dir := range in.Imports {
		args = append(args, "-I", dir)
	}
	if prefix := in.prefix(); prefix != "" {
		args = append(args, "--src-prefix="+prefix)
	}
	return run("", compiler, append(args, files...)...)
}

// prefix returns what is removed from the names of files, so that a lock does not depend on the location of the tree.
func (in Input) prefix() string {
	if in.Prefix != "" || len(in.Paths) != 1 {
		return in.Prefix
	}
	if info, err := os.Stat(in.Paths[0]); err == nil && info.IsDir() {
		return in.Paths[0]
	}
	return ""
}

// Files returns the schema files at the paths, sorted, each once.
func Files(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && (file == path || strings.HasSuffix(file, ".capnp")) {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list schema files: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("cannot list schema files: none in %s", strings.Join(paths, " "))
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// run returns the output of a program. Its stderr becomes the error.
func run(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	said := strings.TrimSpace(stderr.String())
	if said == "" {
		said = err.Error()
	}
	return nil, fmt.Errorf("cannot run %s %s: %s", filepath.Base(name), args[0], said)
}
