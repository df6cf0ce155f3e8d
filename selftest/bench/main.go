// Command bench packs, verifies and stages the same inputs with our tools, with tools that any system has and with
// peers, in turns. It prints medians and their ratios. It only measures, and never changes what is installed.
//
// Usage: bench [-quick] [-patches] [-rounds N] [-only REGEXP] [-bin DIR] [-dir DIR] [-o FILE]
//
//	bench sha256 FILE                     one stream through the standard library: a floor of some tables
//	bench guest [-rounds N] riscv64|amd64  stage in a guest, beside busybox
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"

	"nexus/selftest/bench/table"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// In a guest's image. In a container this program may be process 1 as well.
	if os.Getpid() == 1 && os.Args[0] == "/init" {
		inside(ctx, os.Args[1:])
		return
	}
	if err := bench(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, args []string, w io.Writer) error {
	if len(args) == 2 && args[0] == "sha256" {
		return oneStream(args[1], w)
	}
	if len(args) > 0 && args[0] == "guest" {
		return inGuest(ctx, args[1:], w)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	patches := flags.Bool("patches", false, "the tables of patches between programs, instead of all others")
	quick := flags.Bool("quick", false, "the small inputs only, three rounds")
	rounds := flags.Int("rounds", 5, "how often each row is run")
	only := flags.String("only", "", "only the tables whose title matches")
	bin := flags.String("bin", "bin", "where our tools are")
	dir := flags.String("dir", "out/bench", "where inputs are kept and outputs made")
	output := flags.String("o", "", "write the tables to this file too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	place, err := newPlace(*bin, *dir)
	if err != nil {
		return err
	}
	if *quick {
		*rounds = 3
	}
	all := tables()
	if *patches {
		all = patchTables()
	}
	var chosen []Table
	for _, t := range all {
		if wanted.MatchString(t.Title) && (t.Quick || !*quick) {
			chosen = append(chosen, t)
		}
	}
	results, err := measureAll(ctx, place, chosen, *rounds, w)
	if err != nil || *output == "" {
		return err
	}
	return writeReport(*output, results)
}

// measureAll measures tables and prints them.
func measureAll(ctx context.Context, p Place, all []Table, rounds int, w io.Writer) (results []result, err error) {
	for _, t := range all {
		r, err := measure(ctx, p, t, rounds)
		switch {
		case err != nil && t.Optional && ctx.Err() == nil:
			fmt.Fprintf(w, "\n%s: left out: %s\n", t.Title, table.OneLine(err))
			continue
		case err != nil:
			return nil, fmt.Errorf("cannot measure %s: %w", t.Title, err)
		}
		fmt.Fprint(w, r.markdown())
		results = append(results, r)
	}
	return results, nil
}

// oneStream digests a file with the standard library.
func oneStream(name string, w io.Writer) error {
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%x\n", h.Sum(nil))
	return err
}
