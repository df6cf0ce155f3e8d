package initd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"nexus/daemons/initd/links"
	"nexus/daemons/plat"
)

// A Launcher starts a daemon with nothing but its endowment channel and a place for what it says when it crashes.
type Launcher interface {
	Launch(name string, channel, stderr *os.File) (plat.Process, error)
}

// processes launches each daemon as a process of its own: the one binary under the daemon's name.
type processes struct {
	bin     string // where the links to the binary are
	binary  string
	memory  *os.File // where the binary is in sealed memory, that; else nil
	spawner plat.Spawner
	dirs    map[string]string // paths of the directories that rows name
	groups  *plat.Delegation  // of the daemon that runs bundles

	mu sync.Mutex // for the folder of links
}

func (p *processes) Launch(name string, channel, stderr *os.File) (plat.Process, error) {
	path, err := p.link(name)
	if err != nil {
		return nil, err
	}
	dirs := p.dirs
	if name == links.Runner {
		dirs = maps.Clone(dirs)
		dirs[groupsDir] = p.groups.Dir()
	}
	confinement, err := Confinement(name, p.ruled(path), dirs)
	if err != nil {
		return nil, err
	}
	var group *plat.Group
	if name == links.Runner {
		group, confinement.Groups = p.groups.Group(), p.groups.Measure()
	}
	return p.spawner.Spawn(plat.Command{
		Path:   path,
		File:   p.memory,
		Argv:   []string{name},
		Dir:    "/",
		Stdout: stderr,
		Stderr: stderr,
		Extra:  []*os.File{channel},

		// Every daemon ends with its channel. execd is given the time to, stopped as it may be: it has to sweep up what
		// its services leave behind.
		DieWithParent: name != links.Runner,
		GoOnWithout:   name == links.Runner,
		Confinement:   &confinement,
		Group:         group,
	})
}

// ruled is the binary as far as a rule has to let it be executed: what is in memory has no path that could be ruled.
func (p *processes) ruled(path string) string {
	if p.memory != nil {
		return ""
	}
	return path
}

// Confinement is what a daemon's row says, for this machine: with the directories that it names where they are here,
// which its user is let at, and the one binary, for the start; empty: it is in memory.
func Confinement(name, binary string, dirs map[string]string) (plat.Confinement, error) {
	for _, row := range Table() {
		if row.Name != name {
			continue
		}
		c := row.Confinement
		c.Paths = nil
		if binary != "" {
			c.Paths = []plat.PathRule{{Path: binary, Access: plat.Read | plat.Execute}}
		}
		for _, rule := range row.Confinement.Paths {
			if dir, named := strings.CutPrefix(rule.Path, dirPrefix); named {
				if rule.Path = dirs[dir]; rule.Path == "" && dir == groupsDir {
					continue // a machine without
				}
				if err := open(rule, c.User); err != nil {
					return plat.Confinement{}, fmt.Errorf("cannot open %s to %s: %w", rule.Path, name, err)
				}
			}
			c.Paths = append(c.Paths, rule)
		}
		return c, nil
	}
	return plat.Confinement{}, fmt.Errorf("cannot confine %s: it has no row", name)
}

// open lets a daemon's user at a directory that its row names.
func open(rule plat.PathRule, user uint32) error {
	if rule.Access&plat.Write != 0 {
		return plat.Own(rule.Path, user)
	}
	return plat.Share(rule.Path, user)
}

// dirPrefix marks a directory of a row as the path of a rule.
const dirPrefix = "dir:"

// link makes the path under which a daemon is executed, unless it is there: a link named after it, so that its process
// shows its name. Whatever else has its name, or that of the folder of links, gives way: nothing in there lasts longer
// than the system runs.
func (p *processes) link(name string) (string, error) {
	path, err := filepath.Abs(filepath.Join(p.bin, name))
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if leadsTo(path, p.binary) {
		return path, nil
	}
	if info, err := os.Lstat(p.bin); err != nil || !info.IsDir() {
		if err := os.RemoveAll(p.bin); err != nil {
			return "", err
		}
		if err := os.Mkdir(p.bin, 0o755); err != nil {
			return "", err
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return path, os.Symlink(p.binary, path)
}

// leadsTo tells whether a link leads to a file.
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
