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

// A Place is where rows find and leave things. Scripts have the same as variables: BIN, SELF, KEY, INPUT, WORK, OUT;
// HALF is half the number of payloads, what one of two processes gets, and SETS the folder that a guest finds sets in.
type Place struct {
	Bin   string // our tools
	Self  string // this program
	Key   string // a signing key; the public one is KEY.pub
	Input string // folder of bundles
	Work  string // what Setup left for all rounds
	Out   string // empty at the beginning of each run
	root  string
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
	p := Place{Bin: bin, Self: self, root: root, Key: filepath.Join(root, "key")}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.Key); err == nil {
		return p, nil
	}
	return p, exec.Command(filepath.Join(bin, "nxs-pack"), "keygen", "--output", p.Key).Run()
}

// fresh is the place with an empty folder for what is made.
func (p Place) fresh(name string) (string, error) {
	dir := filepath.Join(p.root, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o755)
}

// Shell is a row's Run: a script for sh, which ends at the first command that fails.
func Shell(script string) func(context.Context, Place) (Sample, error) {
	return func(ctx context.Context, p Place) (Sample, error) {
		cmd := exec.CommandContext(ctx, "sh", "-euc", script)
		cmd.Dir = p.Work
		bundles, err := filepath.Glob(filepath.Join(p.Input, "*.nxb"))
		if err != nil {
			return Sample{}, err
		}
		cmd.Env = append(os.Environ(), fmt.Sprintf("HALF=%d", (len(bundles)+1)/2), "BIN="+p.Bin, "SELF="+p.Self,
			"KEY="+p.Key, "INPUT="+p.Input, "WORK="+p.Work, "OUT="+p.Out, "SETS="+machine.GuestSets)
		return timed(cmd)
	}
}

// with is Shell with another input than the table's. It makes the input, if it is not there, outside of the time it
// takes.
func with(in Input, script string) func(context.Context, Place) (Sample, error) {
	return func(ctx context.Context, p Place) (Sample, error) {
		var err error
		if p.Input, err = in.make(p); err != nil {
			return Sample{}, err
		}
		return Shell(script)(ctx, p)
	}
}

// timed runs a command to its end.
func timed(cmd *exec.Cmd) (Sample, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin).Seconds()
	if err != nil {
		return Sample{}, errors.Join(err, fmt.Errorf("%s", strings.TrimSpace(stderr.String())))
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return Sample{}, errors.New("this system does not count memory")
	}
	// getrusage(2): in KiB, with the children that were waited for
	return Sample{Seconds: took, Peak: usage.Maxrss << 10}, nil
}
