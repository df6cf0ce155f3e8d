package initd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"nexus/daemons/initd/links"
	"nexus/daemons/initd/supervise"
	"nexus/daemons/plat"
	"nexus/libupdates/policy"
)

// confiner returns how processes are confined on this machine, given where the rows' directories are. The daemon that
// runs bundles makes control groups of its own, outlives initd to clean up after its services, and may connect to
// whatever the policy lets any of them connect to.
func confiner(dirs map[string]string, groups *plat.Delegation, reach *reach) func(name, binary string) (
	supervise.Place, error) {
	return func(name, binary string) (supervise.Place, error) {
		if name != links.Runner {
			c, err := Confinement(name, binary, dirs)
			return supervise.Place{Confinement: c, Env: environment(name)}, err
		}
		own := maps.Clone(dirs)
		own[groupsDir] = groups.Dir()
		c, err := Confinement(name, binary, own)
		if err != nil {
			return supervise.Place{}, err
		}
		c.Groups, c.Connect = groups.Measure(), reach.ports()
		return supervise.Place{Confinement: c, Group: groups.Group(), Lingers: true}, nil
	}
}

// environment returns that of a daemon's process. The Go runtime keeps part of the heap, and a thread, for each
// processor that it uses at the same time.
func environment(name string) []string {
	if slices.ContainsFunc(Table(), func(row Daemon) bool { return row.Name == name && row.Parallel }) {
		return nil
	}
	return []string{"GOMAXPROCS=1"}
}

// Confinement returns the confinement in a daemon's row, for this machine: with the directories in their places, to
// which its user gets access, and with the binary to start; empty: it is in memory.
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
				if rule.Path = dirs[dir]; rule.Path == "" && isOptional(dir) {
					continue // this machine has none
				}
				if err := open(rule, c.User); err != nil && dir != bundlesDir {
					return plat.Confinement{}, fmt.Errorf("cannot open %s to %s: %w", rule.Path, name, err)
				}
			}
			c.Paths = append(c.Paths, rule)
		}
		return c, nil
	}
	return plat.Confinement{}, fmt.Errorf("cannot confine %s: it has no row", name)
}

// isOptional reports whether a system may be without a directory that a row names.
func isOptional(dir string) bool { return dir == groupsDir || dir == bundlesDir }

// open gives a daemon's user access to a directory in its row.
func open(rule plat.PathRule, user uint32) error {
	if rule.Access&plat.Write != 0 {
		return plat.Own(rule.Path, user)
	}
	return plat.Share(rule.Path, user)
}

// dirPrefix marks a directory of a row as the path of a rule.
const dirPrefix = "dir:"

// A reach is what programs may connect to by the policy. Nothing that execd starts can have more than execd itself.
type reach struct {
	mu  sync.Mutex
	now []plat.PortRange
}

func (r *reach) ports() []plat.PortRange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// set reports whether that changes anything.
func (r *reach) set(p policy.Policy) bool {
	var ports []plat.PortRange
	for _, in := range p.Reach() {
		ports = append(ports, plat.PortRange{First: in[0], Last: in[1]})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := !slices.Equal(r.now, ports)
	r.now = ports
	return changed
}
