package image

import (
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"nexus/daemons/initd"
	"nexus/daemons/initd/machine"
	"nexus/libupdates/trust"
)

// A Spec lists the contents of an image. All paths are on this host.
type Spec struct {
	Arch    string            // as Go names it: `riscv64`, `amd64`
	Binary  string            // the one binary, static, for that architecture
	Trust   []string          // public keys, each as a file or as its text; with `apps=` before it for apps
	Init    string            // a separate program for the first process; empty: Binary
	Tools   []string          // more programs, static, for that architecture
	Factory string            // the set for slot a; empty: none
	Sets    []string          // sets for the selftest
	Modules []string          // uncompressed kernel modules, in load order
	DiskFS  []string          // those for the state disk's file system, likewise
	Files   map[string]string // more files, by their path in the image
}

// File modes in an image. A guest has no users but root, and an image is never modified.
const (
	modeDir     = 0o755
	modeProgram = 0o755
	modeFile    = 0o644
)

// Write writes the image: a cpio archive (newc, as in the kernel's buffer-format document), compressed with zstd.
func Write(w io.Writer, spec Spec) error {
	for _, program := range append([]string{spec.Binary}, spec.Tools...) {
		if err := checkBinary(program, spec.Arch); err != nil {
			return fmt.Errorf("cannot build image: %w", err)
		}
	}
	packed, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	b := builder{out: cpio.Newc.Writer(packed), made: map[string]bool{}}
	b.layout(spec)
	b.end()
	if b.err == nil {
		b.err = packed.Close()
	}
	if b.err != nil {
		return fmt.Errorf("cannot build image: %w", b.err)
	}
	return nil
}

// A builder writes records and keeps the first error. All records have the same time, and inode numbers that depend on
// their order only.
type builder struct {
	out  cpio.RecordWriter
	made map[string]bool // directories that have been written
	err  error
}

// layout writes everything, directories before their contents.
func (b *builder) layout(spec Spec) {
	// The kernel opens the console before anything is mounted, and the Go runtime opens /dev/null for missing standard
	// descriptors.
	b.add(cpio.CharDev("dev/console", 0o600, 5, 1))
	b.add(cpio.CharDev("dev/null", 0o666, 1, 3))

	binary := path.Join(machine.GuestBin, "nexus")
	b.file(binary, spec.Binary, modeProgram)
	if spec.Init != "" {
		b.file("/init", spec.Init, modeProgram)
	} else {
		b.link("/init", binary)
	}
	for _, row := range initd.Table() {
		if row.Process() {
			b.link(path.Join(machine.GuestBin, row.Name), "nexus")
		}
	}
	for _, tool := range spec.Tools {
		b.file(path.Join(machine.GuestBin, filepath.Base(tool)), tool, modeProgram)
	}
	for _, source := range spec.Trust {
		b.key(source)
	}
	if spec.Factory != "" {
		b.file(machine.GuestFactory, spec.Factory, modeFile)
	}
	for _, set := range spec.Sets {
		b.file(path.Join(machine.GuestSets, filepath.Base(set)), set, modeFile)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Files)) {
		b.file(name, spec.Files[name], modeFile)
	}
	b.modules(machine.GuestModules, spec.Modules)
	b.modules(machine.GuestDiskFS, spec.DiskFS)
}

func (b *builder) modules(dir string, modules []string) {
	for i, module := range modules {
		b.file(path.Join(dir, fmt.Sprintf("%03d-%s", i, filepath.Base(module))), module, modeFile)
	}
}

func (b *builder) file(name, source string, mode uint64) {
	if b.err != nil {
		return
	}
	content, err := os.ReadFile(source)
	if err != nil {
		b.err = err
		return
	}
	b.add(cpio.StaticFile(relative(name), string(content), mode))
}

// key writes a public key under the name by which a system knows it, in whatever form it came.
func (b *builder) key(source string) {
	if b.err != nil {
		return
	}
	role, key, err := trust.ReadTrusted(source)
	if err != nil {
		b.err = fmt.Errorf("cannot trust %s: %w", trust.Shown(source), err)
		return
	}
	dir := machine.GuestTrust
	if role == trust.RoleApps {
		dir = machine.GuestAppTrust
	}
	name := path.Join(dir, key.String()+".pub")
	b.add(cpio.StaticFile(relative(name), key.String()+"\n", modeFile))
}

func (b *builder) link(name, target string) { b.add(cpio.Symlink(relative(name), target)) }

// add writes a record, after those of its parent directories.
func (b *builder) add(r cpio.Record) {
	b.dir(path.Dir(r.Name))
	b.write(r)
}

func (b *builder) dir(name string) {
	if name == "." || b.made[name] {
		return
	}
	b.dir(path.Dir(name))
	b.made[name] = true
	b.write(cpio.Directory(name, modeDir))
}

func (b *builder) write(r cpio.Record) {
	if b.err == nil {
		b.err = b.out.WriteRecord(cpio.MakeReproducible(r))
	}
}

func (b *builder) end() {
	if b.err == nil {
		b.err = cpio.WriteTrailer(b.out)
	}
}

// relative returns a path as the archive has it, without the leading slash.
func relative(name string) string { return name[1:] }

// WriteFile writes the image to a temporary file and renames it, so that path always names a complete image or none.
func WriteFile(path string, spec Spec) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return 0, fmt.Errorf("cannot build image: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := Write(f, spec); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Chmod(fs.FileMode(modeFile))
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot build image: %w", err)
	}
	return info.Size(), nil
}

// checkBinary checks that a binary can run in a guest of that architecture, which has no program loader.
func checkBinary(path, arch string) error {
	machine, known := map[string]elf.Machine{"riscv64": elf.EM_RISCV, "amd64": elf.EM_X86_64}[arch]
	if !known {
		return fmt.Errorf("unknown architecture %q: riscv64 or amd64", arch)
	}
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer f.Close()
	if f.Machine != machine {
		return fmt.Errorf("%s is for %s, not for %s", path, f.Machine, machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: a guest has no program loader", path)
		}
	}
	return nil
}
