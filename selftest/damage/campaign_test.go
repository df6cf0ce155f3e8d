package damage

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A Campaign is one run over many cells.
type Campaign struct {
	bin, demo string // folders of the programs, and of the demo's sets and keys
	dir       string // where it works
	bound     time.Duration
	sets      oracle.Sets
}

// The times at which damage comes.
const (
	atRest         = "rest"   // the system is down; it is started then
	atIdle         = "idle"   // it runs; the slots are checked, everything is killed, and it is started
	inTrial        = "trial"  // everything was killed in mid-trial; it is started then
	beforeRollback = "back"   // it runs; the operator wants the other slot
	beforeSwitch   = "switch" // it runs, and 1.4.0 is staged in slot b; the operator switches to it
)

// A Cell is one damage to one object at one time.
type Cell struct {
	User User
	Time string
	Path string // in the system's folder
	Name string // of the path, the same in every run
	Way  Way
}

func (c Cell) String() string {
	return fmt.Sprintf("%s/%s/%s=%s", c.User.Name, c.Time, c.Name, c.Way.Name)
}

// times are all of them, in the order of the table.
func times() []string { return []string{atRest, atIdle, inTrial, beforeRollback, beforeSwitch} }

// base is the system that the cell begins with.
func (c Cell) base() string {
	if c.Time == inTrial {
		return trial
	}
	return rest
}

// runs reports whether the system runs when the damage comes.
func (c Cell) runs() bool { return c.Time != atRest && c.Time != inTrial }

// brings reports whether slot b has 1.4.0 when the damage comes.
func (c Cell) brings() bool { return c.Time == inTrial || c.Time == beforeSwitch }

// cells are all of them.
func (c *Campaign) cells(t testing.TB) (all []Cell) {
	for _, u := range users() {
		for _, time := range times() {
			for _, path := range c.objects(t, u, time) {
				for _, way := range ways() {
					all = append(all, Cell{User: u, Time: time, Path: path, Name: c.name(path), Way: way})
				}
			}
		}
	}
	return all
}

// sample takes so many or a few more, evenly spread. The step has no factor in common with the number of ways, so all
// of them come.
func sample(all []Cell, n int) (some []Cell) {
	step := max(1, len(all)/n)
	for gcd(step, len(ways())) != 1 {
		step--
	}
	for i := 0; i < len(all); i += step {
		some = append(some, all[i])
	}
	return some
}

func gcd(a, b int) int {
	if b == 0 {
		return a
	}
	return gcd(b, a%b)
}

// objects are the files and folders that can be damaged. A system that runs has those that a killed one left as well.
func (c *Campaign) objects(t testing.TB, u User, time string) []string {
	base := rest
	if (Cell{Time: time}).brings() {
		base = trial
	}
	paths, err := tree(c.at("base", u.Name, base))
	kit.Must(t, err)
	if time == atIdle {
		killed, err := tree(c.at("base", u.Name, trial))
		kit.Must(t, err)
		for _, path := range killed {
			if path == "control.sock" || path == "run" || strings.HasPrefix(path, "run/") {
				paths = append(paths, path)
			}
		}
	}
	if time == beforeRollback || time == beforeSwitch {
		paths = slices.DeleteFunc(paths, func(path string) bool { return !strings.HasPrefix(path, "system") })
	}
	return paths
}

// tree lists what is below a folder.
func tree(root string) (paths []string, err error) {
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != root {
			rel, _ := filepath.Rel(root, path)
			paths = append(paths, rel)
		}
		return err
	})
	return paths, err
}

// name is a path with versions for digests, so that a cell has the same name whatever programs are packed.
func (c *Campaign) name(path string) string {
	for _, set := range c.sets {
		path = strings.ReplaceAll(path, set.Digest, set.Version)
	}
	if strings.HasSuffix(path, ".pub") {
		path = filepath.Join(filepath.Dir(path), "KEY.pub")
	}
	return path
}

// remove takes a cell's folder away, whatever its modes have become.
func remove(dir string) {
	filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}

// A Tally counts cells by user, time and outcome.
type Tally map[[3]string]int

func (t Tally) add(r Result) {
	if len(r.Wrong) > 0 {
		r.Outcome = none
	}
	t[[3]string{r.Cell.User.Name, r.Cell.Time, string(r.Outcome)}]++
}

// table is the table of the documentation.
func (t Tally) table() string {
	columns := []Outcome{asBefore, other, ended, waits, none}
	out := fmt.Sprintf("| user | time | cells | %s | %s | %s | %s | violations |\n", asBefore, other, ended, waits)
	out += strings.Repeat("|---", 8) + "|\n"
	for _, u := range []string{"root", "user"} {
		for _, time := range times() {
			sum, cells := 0, ""
			for _, column := range columns {
				n := t[[3]string{u, time, string(column)}]
				sum, cells = sum+n, cells+fmt.Sprintf(" %d |", n)
			}
			if sum > 0 {
				out += fmt.Sprintf("| %s | %s | %d |%s\n", u, time, sum, cells)
			}
		}
	}
	return out
}
