package initd

import (
	"os"

	"nexus/daemons/plat"
)

// A Launcher brings a daemon to life with nothing but its birth channel and a place for what it says when it crashes.
type Launcher interface {
	Launch(name string, channel, stderr *os.File) (plat.Process, error)
}

// processes launches each daemon as a process of its own: the one binary under the daemon's name.
type processes struct {
	folder  *folder
	binary  string
	spawner plat.Spawner
}

func (p *processes) Launch(name string, channel, stderr *os.File) (plat.Process, error) {
	path, err := p.folder.link(name, p.binary)
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
	})
}
