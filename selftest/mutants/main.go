package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

// run does what the command line says.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.Bool("list", false, "list the mutants and what each breaks, and stop")
	only := flags.String("only", "", "comma-separated ids of the mutants to run")
	keepGoing := flags.Bool("keep-going", true, "go on after a mutant that was not caught")
	workers := flags.Int("workers", runtime.NumCPU(), "how many mutants to run at one time")
	timeout := flags.Duration("timeout", time.Minute,
		"time limit of one test binary; a mutant that hangs is caught by it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all, err := mutants()
	if err != nil {
		return err
	}
	chosen, err := choose(all, *only)
	if err != nil {
		return err
	}
	if *list {
		for _, m := range chosen {
			fmt.Fprintf(stdout, "%-34s %s: %s\n", m.id, m.place, m.breaks)
		}
		return nil
	}
	module, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	p := proof{
		trial: trial{module: module, timeout: *timeout}, workers: max(*workers, 1), keepGoing: *keepGoing,
		stdout: stdout, stderr: stderr,
	}
	return p.run(ctx, chosen)
}

// choose returns the mutants with the given ids, all for none.
func choose(all []mutant, only string) ([]mutant, error) {
	if only == "" {
		return all, nil
	}
	var chosen []mutant
	for id := range strings.SplitSeq(only, ",") {
		at := slices.IndexFunc(all, func(m mutant) bool { return m.id == id })
		if at < 0 {
			return nil, fmt.Errorf("cannot choose mutant: there is none named %q", id)
		}
		chosen = append(chosen, all[at])
	}
	return chosen, nil
}

// moduleDir returns the folder of the module the command runs in.
func moduleDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find module: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("cannot find module: run it inside the source tree")
	}
	return filepath.Dir(mod), nil
}
