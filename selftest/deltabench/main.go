// Command deltabench makes patches between real programs with our tools and with others, in turns, and prints how large
// they are and what they cost, as Markdown.
//
// Usage: deltabench [-dir DIR] [-rounds N] [-only REGEXP] [OLD NEW]
//
//	deltabench make OLD NEW PATCH    what is measured of ours
//	deltabench apply OLD PATCH NEW
//
// Without files it takes pairs that it builds from this tree, from releases of a Go program, and from the versions of
// Debian's packages that the machine's package lists have. What is missing is said and left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "deltabench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 4 && args[0] == "make":
		return makePatch(args[1], args[2], args[3])
	case len(args) == 4 && args[0] == "apply":
		return applyPatch(args[1], args[2], args[3])
	case len(args) == 1 && args[0] == "idle":
		return nil
	}
	flags := flag.NewFlagSet("deltabench", flag.ContinueOnError)
	dir := flags.String("dir", "out/bench/delta", "where inputs are kept")
	rounds := flags.Int("rounds", 3, "how often each tool is run")
	only := flags.String("only", "", "only the pairs whose name matches")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	root, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	pairs := allPairs()
	if flags.NArg() == 2 {
		pairs = []pair{given(flags.Arg(0), flags.Arg(1))}
	}
	for _, p := range pairs {
		if !wanted.MatchString(p.name) {
			continue
		}
		old, fresh, err := p.make(ctx, root)
		if err != nil {
			fmt.Printf("\n%s: left out: %v\n", p.name, err)
			continue
		}
		if err := measure(ctx, root, p.name, old, fresh, *rounds); err != nil {
			return fmt.Errorf("cannot measure %s: %w", p.name, err)
		}
	}
	if flags.NArg() == 2 || !wanted.MatchString("week") {
		return nil
	}
	return week(ctx, root)
}
