package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nexus/schema/check/compat"
	"nexus/schema/check/lock"
	"nexus/schema/check/source"
	"nexus/schema/check/surface"
)

// compatVerb compares the schemas with an older version.
type compatVerb struct {
	schemas
	waivers
	format

	Base       string   `xor:"old" placeholder:"REV" help:"Compare with this revision: its lock, or its schemas if it has none. Default: the merge base with the upstream or main branch."`
	Lock       string   `xor:"old" placeholder:"FILE" help:"Compare with this lock."`
	Old        []string `xor:"old" sep:"none" placeholder:"PATH" help:"Compare with these schema files or folders; may be repeated."`
	OldRequest string   `xor:"old" placeholder:"FILE" help:"Compare with the output of 'capnp compile -o-'."`
	LockPath   string   `placeholder:"FILE" help:"Where a revision keeps its lock. Default: API.lock next to the schemas."`
}

// Run compares the schemas and reports the changes.
func (v *compatVerb) Run(io *streams) error {
	waivers, err := v.waivers.read()
	if err != nil {
		return err
	}
	new, err := v.schemas.read(io)
	if err != nil {
		return err
	}
	old, err := v.old()
	if err != nil {
		return err
	}
	r := compat.Compare(old, new)
	waivers.Apply(r.Findings)
	r.Sort()
	return v.tell(io, r)
}

func (v *compatVerb) old() (*surface.Surface, error) {
	switch {
	case v.Lock != "":
		text, err := readFile("lock", v.Lock)
		if err != nil {
			return nil, err
		}
		return lock.Parse(text)
	case len(v.Old) > 0:
		return v.compile(v.input(v.Old))
	case v.OldRequest != "":
		request, err := readFile("old request", v.OldRequest)
		if err != nil {
			return nil, err
		}
		return surface.Read(request, v.options())
	}
	return v.revision()
}

func (v *compatVerb) compile(in source.Input) (*surface.Surface, error) {
	request, err := source.Compile(in)
	if err != nil {
		return nil, err
	}
	return surface.Read(request, v.options())
}

// revision reads the old surface from git: from the lock or, if the revision has none, from the schemas under their
// present paths.
func (v *compatVerb) revision() (*surface.Surface, error) {
	base, err := v.Base, error(nil)
	if base == "" {
		if base, err = source.MergeBase("."); err != nil {
			return nil, err
		}
	}
	text, err := source.Show(".", base, v.lockPath())
	switch {
	case err == nil:
		return lock.Parse(text)
	case !errors.Is(err, source.ErrNotThere):
		return nil, err
	}
	return v.checkout(base)
}

func (v *compatVerb) checkout(base string) (old *surface.Surface, err error) {
	work, err := source.Checkout(".", base)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	in := v.input(nil)
	for _, path := range v.Paths {
		if !filepath.IsLocal(path) {
			return nil, fmt.Errorf("cannot compare %s with a revision: name it relative to here", path)
		}
		if there := filepath.Join(work, path); exists(there) {
			in.Paths = append(in.Paths, there)
		}
	}
	if len(in.Paths) == 0 {
		return nil, fmt.Errorf("cannot compare with %s: it has neither %s nor any of these schemas", base, v.lockPath())
	}
	in.Imports = oldImports(work, v.Import)
	if in.Prefix != "" || len(v.Paths) > 1 || isFile(v.Paths[0]) {
		in.Prefix = filepath.Join(work, in.Prefix)
	}
	return v.compile(in)
}

// oldImports returns import folders in the old tree first, for those that are in the new tree.
func oldImports(work string, imports []string) []string {
	var all []string
	for _, dir := range imports {
		if there := filepath.Join(work, dir); filepath.IsLocal(dir) && exists(there) {
			all = append(all, there)
		}
		all = append(all, dir)
	}
	return all
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func (v *compatVerb) lockPath() string {
	if v.LockPath != "" {
		return v.LockPath
	}
	if len(v.Paths) == 0 {
		return "API.lock"
	}
	first := v.Paths[0]
	if isFile(first) {
		first = filepath.Dir(first)
	}
	return filepath.Join(first, "API.lock")
}
