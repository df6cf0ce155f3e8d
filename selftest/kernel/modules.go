package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A tree holds the modules of one kernel.
type tree struct {
	files   map[string]string // by module name
	builtin map[string]bool   // modules that are built into the kernel
	loaded  map[string][]byte // contents that have been read, uncompressed
}

// moduleTree finds the modules in an unpacked kernel package, wherever they are in it.
func moduleTree(root string) (*tree, error) {
	t := &tree{files: map[string]string{}, builtin: map[string]bool{}, loaded: map[string][]byte{}}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		base := filepath.Base(path)
		switch {
		case base == "modules.builtin":
			return t.readBuiltin(path)
		case strings.HasSuffix(base, ".ko"), strings.HasSuffix(base, ".ko.xz"):
			t.files[moduleName(base)] = path
		}
		return nil
	})
	return t, err
}

// readBuiltin reads the list of built-in modules, which has one path per line.
func (t *tree) readBuiltin(path string) error {
	list, err := os.ReadFile(path)
	for _, line := range strings.Fields(string(list)) {
		t.builtin[moduleName(filepath.Base(line))] = true
	}
	return err
}

// moduleName returns a module's name: its file's name, with dashes and underscores made equal.
func moduleName(file string) string {
	name, _, _ := strings.Cut(file, ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// dependencies returns a function that returns a module's dependencies, as declared in the module itself (section
// .modinfo). Built-in modules have none and are not loaded.
func (t *tree) dependencies(ctx context.Context, run tools) func(
	name string) (depends []string, builtin bool, err error) {
	return func(name string) ([]string, bool, error) {
		if t.builtin[name] {
			return nil, true, nil
		}
		path, ok := t.files[name]
		if !ok {
			return nil, false, fmt.Errorf("the kernel has no module %s", name)
		}
		content, err := read(ctx, run, path)
		if err != nil {
			return nil, false, err
		}
		t.loaded[name] = content
		depends, err := modinfoDepends(content)
		if err != nil {
			return nil, false, fmt.Errorf("cannot read module %s: %w", name, err)
		}
		return depends, false, nil
	}
}

func read(ctx context.Context, run tools, path string) ([]byte, error) {
	if !strings.HasSuffix(path, ".xz") {
		return os.ReadFile(path)
	}
	out, err := run.run(ctx, "/", "xz", "--decompress", "--stdout", path)
	return []byte(out), err
}

func modinfoDepends(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(info), "\x00") {
		if list, ok := strings.CutPrefix(line, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}

// resolve returns the modules to load: each of those wanted, after its dependencies, without duplicates.
func resolve(wanted []string, dependencies func(string) (depends []string, builtin bool, err error)) ([]string, error) {
	var order []string
	seen := map[string]bool{}
	var visit func(string) error
	visit = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		depends, builtin, err := dependencies(name)
		if err != nil || builtin {
			return err
		}
		for _, d := range depends {
			if err := visit(d); err != nil {
				return fmt.Errorf("%w (needed by %s)", err, name)
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range wanted {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}
