package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"nexus/selftest/oracle"
)

// A Campaign is one run over many cells.
type Campaign struct {
	Bin, Demo string
	Only      string // how the names of its cells begin
	Whole     bool
	Sample    int
	Jobs      int
	Bound     time.Duration
	Console   bool
	Out, Tell io.Writer

	dir  string
	sets oracle.Sets
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

// runs tells whether the system runs when the damage comes.
func (c Cell) runs() bool { return c.Time != atRest && c.Time != inTrial }

// brings tells whether slot b has 1.4.0 when the damage comes.
func (c Cell) brings() bool { return c.Time == inTrial || c.Time == beforeSwitch }

// sampleSize is how many cells are run unless all or certain ones are asked for.
const sampleSize = 24

// cells are those that are asked for.
func (c *Campaign) cells() (all []Cell, err error) {
	for _, u := range users() {
		for _, time := range times() {
			objects, err := c.objects(u, time)
			if err != nil {
				return nil, err
			}
			for _, path := range objects {
				for _, way := range ways() {
					all = append(all, Cell{User: u, Time: time, Path: path, Name: c.name(path), Way: way})
				}
			}
		}
	}
	switch {
	case c.Only != "":
		all = slices.DeleteFunc(all, func(cell Cell) bool { return !strings.HasPrefix(cell.String(), c.Only) })
	case !c.Whole:
		all = sample(all, c.Sample)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no cell %q", c.Only)
	}
	return all, nil
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
func (c *Campaign) objects(u User, time string) ([]string, error) {
	base := rest
	if (Cell{Time: time}).brings() {
		base = trial
	}
	paths, err := tree(c.at("base", u.Name, base))
	if err != nil {
		return nil, err
	}
	if time == atIdle {
		killed, err := tree(c.at("base", u.Name, trial))
		if err != nil {
			return nil, err
		}
		for _, path := range killed {
			if path == "control.sock" || path == "run" || strings.HasPrefix(path, "run/") {
				paths = append(paths, path)
			}
		}
	}
	if time == beforeRollback || time == beforeSwitch {
		paths = slices.DeleteFunc(paths, func(path string) bool { return !strings.HasPrefix(path, "system") })
	}
	return paths, nil
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

// all runs the cells, several at a time, and tells what comes of them.
func (c *Campaign) all(ctx context.Context, cells []Cell) error {
	begun, tally := time.Now(), Tally{}
	work, results := make(chan int), make(chan Result)
	var workers sync.WaitGroup
	for range c.Jobs {
		workers.Go(func() {
			for n := range work {
				results <- c.cell(ctx, cells[n], fmt.Sprint("cell-", n))
			}
		})
	}
	go func() {
		for n := 0; n < len(cells) && ctx.Err() == nil; n++ {
			work <- n
		}
		close(work)
		workers.Wait()
		close(results)
	}()
	done := 0
	for r := range results {
		tally.add(r)
		c.tell(r)
		if done++; done%100 == 0 {
			took := time.Since(begun).Round(time.Second)
			fmt.Fprintf(c.Tell, "damage: %d of %d cells, %d violations, %s\n", done, len(cells), tally.violations(),
				took)
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	fmt.Fprintf(c.Out, "\n%s\n%s\n", tally.table(), time.Since(begun).Round(time.Second))
	if n := tally.violations(); n > 0 {
		return fmt.Errorf("%d of %d cells came out in no way that is allowed", n, len(cells))
	}
	return nil
}

// tell shows what came of a cell, if it is wrong or asked for by name.
func (c *Campaign) tell(r Result) {
	if r.Wrong == nil && c.Only == "" {
		return
	}
	fmt.Fprintf(c.Out, "%s: %s\n", r.Cell, r.Outcome)
	for _, wrong := range r.Wrong {
		fmt.Fprintf(c.Out, "  VIOLATION %s\n", wrong)
	}
	if c.Console {
		fmt.Fprintf(c.Out, "    %s\n", strings.Join(r.Console, "\n    "))
	}
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
