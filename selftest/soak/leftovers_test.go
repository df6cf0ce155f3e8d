package soak

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nexus/selftest/kit"
)

// leftovers are what a system at rest has no use for: files, processes, sockets. A system that was shut down leaves
// nothing but its lock, its keys and its slots.
func (s *Soak) leftovers(runs bool) []error {
	found := s.strayFiles(runs)
	found = append(found, s.strayProcesses(runs)...)
	if runs {
		found = append(found, s.straySockets()...)
	}
	return append(found, s.temporary()...)
}

// strayFiles are the files below the system's folder that nothing refers to.
func (s *Soak) strayFiles(runs bool) (found []error) {
	links := s.links()
	needed := []string{"lock", "system/a", "system/b", "system/active", "system/staged", "trust/system/*.pub"}
	if runs {
		needed = append(needed, "control.sock", "run/*")
	}
	for _, link := range []string{links.a, links.b, links.staged} {
		if link != "" {
			needed = append(needed, "system/"+link+"/*", "system/"+link+"/*/*")
		}
	}
	folders := []string{".", "system", "system/sets", "system/sets/*", "system/sets/*/*.nxb", "trust", "trust/*",
		"system/apps", "roots", "trees", "run"}
	err := filepath.WalkDir(s.host.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(s.host.Dir, path)
		switch {
		case entry.IsDir() && name == "run" && !runs:
			found = append(found, fmt.Errorf("folder %s is left over", name))
		case entry.IsDir() && strings.HasPrefix(name, "system/sets/") && strings.Count(name, "/") == 2:
			if dir := strings.TrimPrefix(name, "system/"); dir != links.a && dir != links.b && dir != links.staged {
				found = append(found, fmt.Errorf("set %s is left over: no link leads to it", name))
				return fs.SkipDir
			}
		case entry.IsDir() && !matches(folders, name), !entry.IsDir() && !matches(needed, name):
			found = append(found, fmt.Errorf("%s is left over", name))
		}
		return nil
	})
	if err != nil {
		found = append(found, err)
	}
	return found
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok
	})
}

// strayProcesses are the processes of any system there has been that should not be there, and those that should and are
// not: initd, each daemon once, each service of the confirmed set once.
func (s *Soak) strayProcesses(runs bool) (found []error) {
	wanted := map[string]int{}
	if runs {
		wanted["initd"]++
		for _, name := range daemons() {
			wanted[name]++
		}
		for name := range s.sets.Known(s.state.Active().Digest()).Payloads() {
			wanted[name]++
		}
	}
	all := kit.Session(s.host.Sessions...)
	for _, p := range all {
		switch {
		case p.Zombie && (!runs || p.Parent != s.host.PID()):
			continue // its parent is not ours to judge
		case p.Zombie:
			found = append(found, fmt.Errorf("process %s has ended, and initd does not wait for it", p))
		case wanted[p.Name] == 0:
			found = append(found, fmt.Errorf("process %s is left over", p))
		default:
			wanted[p.Name]--
			found = append(found, s.outside(p)...)
		}
	}
	for name, n := range wanted {
		if n > 0 {
			found = append(found, fmt.Errorf("process %s is not there", name))
		}
	}
	return found
}

// goRuntime is where the runtime of a Go program looks for the processors it may use, for as long as it runs.
const goRuntime = "/sys/fs/cgroup/"

// outside are the files a process has open that are none of its business: what is not below the system's folder, an
// archive, its own part of /proc, or without a name in the file system. The folder itself is open in initd alone.
func (s *Soak) outside(p kit.Proc) (found []error) {
	for _, path := range p.OpenFiles() {
		if path == s.host.Dir && p.Name == "initd" {
			continue
		}
		if strings.HasPrefix(path, s.host.Dir+"/") && !strings.HasSuffix(path, " (deleted)") ||
			strings.HasPrefix(path, "/memfd:") || strings.HasPrefix(path, goRuntime) || path == os.DevNull ||
			path == fmt.Sprintf("/proc/%d", p.PID) || path == s.factory {
			continue
		}
		found = append(found, fmt.Errorf("process %s has %s open", p, path))
	}
	return found
}

// temporary is what was left where programs put what is temporary.
func (s *Soak) temporary() (found []error) {
	names, err := os.ReadDir(s.host.Tmp)
	if err != nil {
		return []error{err}
	}
	for _, name := range names {
		found = append(found, fmt.Errorf("%s is left over in the folder for temporary files", name.Name()))
	}
	return found
}
