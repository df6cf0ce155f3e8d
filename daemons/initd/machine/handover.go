package machine

import (
	"errors"
	"os"
	"path/filepath"

	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
)

// A Program says how this process was started, so that another core can be executed in the same way.
type Program struct {
	Name  string   // argv[0]
	Args  []string // the command line that people wrote
	Links string   // the folder of links under which programs are executed
	Image string   // the program that the machine started with; empty: this process is that program
}

// Become executes the next core in place of this one. If that fails, the image's core takes over. It counts an attempt
// of its own, so a core that cannot be executed uses up its tries.
func (p Program) Become(next *Handed) error {
	err := p.execute(next)
	if !next.Core.IsZero() {
		fallback := *next
		fallback.Core, fallback.Attempt = nxs.Digest{}, 0
		fallback.Take(HandedProgram)
		err = errors.Join(err, p.execute(&fallback))
	}
	return err
}

// BeginAnew restarts this process with the program that the machine started with and the command line that a person
// wrote. It returns only if that fails.
func (p Program) BeginAnew() (err error) {
	image := p.Image
	if image == "" {
		if image, err = OwnBinary(); err != nil {
			return err
		}
	}
	return plat.Become(image, append([]string{p.Name}, p.Args...), nil)
}

// execute replaces this process by a core, through a link with this process's name, so that the process keeps that
// name.
func (p Program) execute(next *Handed) error {
	program := next.Image
	if core := next.Files[HandedProgram]; core != nil {
		program = plat.ByDescriptor(core)
	}
	link := filepath.Join(p.Links, filepath.Base(p.Name))
	if err := os.MkdirAll(p.Links, 0o755); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(program, link); err != nil {
		return err
	}
	argv := append([]string{p.Name}, p.Args...)
	return plat.Become(link, append(argv, FlagHanded, next.String()), next.files())
}

// OwnBinary returns the file that this process executes.
func OwnBinary() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
