package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nexus/daemons/initd/machine"
)

// A Place is where rows find their inputs and leave their results. Scripts get it in the variables BIN, SELF, KEY,
// INPUT, WORK, OUT and TOP, and also HALF, which is half the number of payloads, for one of two processes, and SETS,
// the folder of sets in a guest.
type Place struct {
	Bin   string // our tools
	Self  string // this program
	Key   string // a signing key; its public key is KEY.pub
	Input string // folder of bundles
	Work  string // results of Setup, for all rounds
	Out   string // empty at the start of each run
	root  string // for these folders
	top   string // this program's folder when it was started, the top of the tree
}

// newPlace makes the folders and a key.
func newPlace(bin, dir string) (Place, error) {
	self, err := os.Executable()
	if err != nil {
		return Place{}, err
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return Place{}, err
	}
	bin, err = filepath.Abs(bin)
	if err != nil {
		return Place{}, err
	}
	top, err := os.Getwd()
	if err != nil {
		return Place{}, err
	}
	p := Place{Bin: bin, Self: self, root: root, top: top, Key: filepath.Join(root, "key")}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.Key); err == nil {
		return p, nil
	}
	return p, exec.Command(filepath.Join(bin, "nxs-pack"), "keygen", "--output", p.Key).Run()
}

// fresh returns the place with an empty folder for results.
func (p Place) fresh(name string) (string, error) {
	dir := filepath.Join(p.root, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o755)
}

// A usage is what a process and its children took.
type usage struct {
	seconds, cpu float64
	peak         float64 // resident memory, in bytes, of the process that had the most
}

// run runs a script for sh in WORK; it ends at the first command that fails.
func run(ctx context.Context, p Place, script string) (usage, error) {
	cmd := exec.CommandContext(ctx, "sh", "-euc", script)
	cmd.Dir = p.Work
	bundles, err := filepath.Glob(filepath.Join(p.Input, "*.nxb"))
	if err != nil {
		return usage{}, err
	}
	cmd.Env = append(os.Environ(), fmt.Sprintf("HALF=%d", (len(bundles)+1)/2), "BIN="+p.Bin, "SELF="+p.Self,
		"KEY="+p.Key, "INPUT="+p.Input, "WORK="+p.Work, "OUT="+p.Out, "TOP="+p.top, "SETS="+machine.GuestSets)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	begin := time.Now()
	err = cmd.Run()
	took := time.Since(begin).Seconds()
	if err != nil {
		return usage{}, errors.Join(err, fmt.Errorf("%s", strings.TrimSpace(stderr.String())))
	}
	state := cmd.ProcessState
	used, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return usage{}, errors.New("this system does not report memory use")
	}
	// getrusage(2): in KiB
	return usage{took, (state.UserTime() + state.SystemTime()).Seconds(), float64(used.Maxrss << 10)}, nil
}

// Shell returns a row's Run: a script.
func Shell(script string) func(context.Context, Place) (Figures, error) {
	return func(ctx context.Context, p Place) (Figures, error) {
		used, err := run(ctx, p, script)
		return Figures{used.seconds, used.peak}, err
	}
}

// with is Shell with another input than the table's. If the input must be made first, that time does not count.
func with(in Input, script string) func(context.Context, Place) (Figures, error) {
	return func(ctx context.Context, p Place) (Figures, error) {
		var err error
		if p.Input, err = in.make(p); err != nil {
			return nil, err
		}
		return Shell(script)(ctx, p)
	}
}
