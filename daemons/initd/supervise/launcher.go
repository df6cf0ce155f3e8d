package supervise

import (
	"os"
	"path/filepath"
	"sync"

	"nexus/daemons/plat"
)

// A Launcher starts a daemon with only its endowment channel and a standard error.
type Launcher interface {
	Launch(name string, channel, stderr *os.File) (plat.Process, error)
}

// Processes launches each daemon as a process: the one binary under the daemon's name.
type Processes struct {
	Bin     string // where the links to the binary are
	Binary  string
	Memory  *os.File // the binary, if it is in sealed memory; else nil
	Spawner plat.Spawner

	// Confine returns the confinement of a daemon's process that executes this binary; empty: no path rule is needed
	// for it.
	Confine func(daemon, binary string) (Place, error)

	mu sync.Mutex // for the folder of links
}

// A Place is where a daemon's process runs, and what it may do there.
type Place struct {
	Confinement plat.Confinement
	Env         []string    // its whole environment
	Group       *plat.Group // nil: in initd's
	Lingers     bool        // it may outlive initd to clean up what it started; all others end with initd
}

// Launch starts a daemon.
func (p *Processes) Launch(name string, channel, stderr *os.File) (plat.Process, error) {
	path, err := p.link(name)
	if err != nil {
		return nil, err
	}
	place, err := p.Confine(name, p.ruled(path))
	if err != nil {
		return nil, err
	}
	return p.Spawner.Spawn(plat.Command{
		Path:   path,
		File:   p.Memory,
		Argv:   []string{name},
		Env:    place.Env,
		Dir:    "/",
		Stdout: stderr,
		Stderr: stderr,
		Extra:  []*os.File{channel},

		DieWithParent: !place.Lingers, // every daemon ends with its channel, too
		GoOnWithout:   place.Lingers,
		Confinement:   &place.Confinement,
		Group:         place.Group,
	})
}

// ruled returns the path that a rule must let the process execute; a binary in memory has none.
func (p *Processes) ruled(path string) string {
	if p.Memory != nil {
		return ""
	}
	return path
}

// link makes the path under which a daemon is executed, unless it exists: a link with its name, so that the process
// shows that name. Anything else there, or in place of the folder, is removed: nothing in it outlasts a run of the
// system.
func (p *Processes) link(name string) (string, error) {
	path, err := filepath.Abs(filepath.Join(p.Bin, name))
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if leadsTo(path, p.Binary) {
		return path, nil
	}
	if info, err := os.Lstat(p.Bin); err != nil || !info.IsDir() {
		if err := os.RemoveAll(p.Bin); err != nil {
			return "", err
		}
		if err := os.Mkdir(p.Bin, 0o755); err != nil {
			return "", err
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return path, os.Symlink(p.Binary, path)
}

// leadsTo reports whether a link leads to a file.
func leadsTo(link, file string) bool {
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		return false
	}
	there, err := os.Stat(link)
	if err != nil {
		return false
	}
	wanted, err := os.Stat(file)
	return err == nil && os.SameFile(there, wanted)
}
