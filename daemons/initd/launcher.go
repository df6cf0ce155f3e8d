package initd

import (
	"errors"
	"os"
	"path/filepath"

	"nexus/daemons/plat"
)

// A Launcher brings a daemon to life with nothing but its birth channel and a place for what it says when it crashes.
type Launcher interface {
	Launch(name string, channel, stderr *os.File) (plat.Process, error)
}

// processes launches each daemon as a process of its own: the one binary under the daemon's name.
type processes struct {
	bin     string // where the links to the binary are
	binary  string
	spawner plat.Spawner
}

func (p *processes) Launch(name string, channel, stderr *os.File) (plat.Process, error) {
	path, err := p.link(name)
	if err != nil {
		return nil, err
	}
	return p.spawner.Spawn(plat.Command{
		Path:   path,
		Argv:   []string{name},
		Dir:    "/",
		Stdout: stderr,
		Stderr: stderr,
		Extra:  []*os.File{channel},

		// Every daemon ends with its channel. execd is given the time to: it has to sweep up what its services leave behind.
		DieWithParent: name != "execd",
	})
}

// link makes the path under which a daemon is executed, unless it is there: a link named after it, so that its process shows its name.
func (p *processes) link(name string) (string, error) {
	path, err := filepath.Abs(filepath.Join(p.bin, name))
	if err != nil {
		return "", err
	}
	if err := os.Symlink(p.binary, path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return path, nil
}
