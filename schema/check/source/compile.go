// Package source turns schema files into a compiled request, by the capnp compiler: files of the working tree, or of a
// revision that git keeps. It understands nothing of what it compiles.
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

// An Input says what is compiled, and how names in it are found.
type Input struct {
	Paths            []string // files, and directories, which stand for all .capnp files below them
	Imports          []string // where imports that start with / are looked for
	NoStandardImport bool     // not in the compiler's own directories too
	Prefix           string   // cut from the files' names; empty: the directory, where just one is named
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

// prefix is what the names of files lose, so that a lock does not depend on where the tree lies.
func (in Input) prefix() string {
	if in.Prefix != "" || len(in.Paths) != 1 {
		return in.Prefix
	}
	if info, err := os.Stat(in.Paths[0]); err == nil && info.IsDir() {
		return in.Paths[0]
	}
	return ""
}

// Files lists the schema files that the paths stand for, sorted, each once.
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

// run returns what a program writes. What it says on stderr becomes the error.
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
