// Command guest runs Nexus as the first process of a QEMU guest: it fetches a kernel, builds an image, and runs the
// update flow in it, or keeps it running for an operator. It also runs the flow on this host. `make guest-deps`,
// `guest-image`, `run`, `guest-up` and `bench-guest` call it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"nexus/selftest/console"
)

// A grammar is the command line.
type grammar struct {
	Cache string `default:".cache/guest" help:"Folder for kernels."`
	Out   string `default:"out/guest" help:"Folder for images, sets and console logs; one below it for each architecture."`

	Deps  depsVerb  `cmd:"" help:"Install QEMU and fetch a kernel for guests."`
	Ready readyVerb `cmd:"" help:"Tell by the exit status whether a guest can be started."`
	Image imageVerb `cmd:"" help:"Build the image a guest starts from."`
	Host  hostVerb  `cmd:"" help:"Run the update flow on this host, as processes, and check its markers."`
	Run   runVerb   `cmd:"" help:"Run the update flow in a guest and check its markers."`
	Page  pageVerb  `cmd:"" help:"Show a web server on this host while its set is updated and rolled back."`
	Up    upVerb    `cmd:"" help:"Run a guest in the foreground, for nx to operate."`
	Bench benchVerb `cmd:"" help:"Measure how long a guest takes to start and what its daemons need."`
}

// A place is where things are for one architecture.
type place struct {
	cache string
	out   string
	arch  string
}

func (g *grammar) place(arch string) place {
	return place{cache: g.Cache, out: filepath.Join(g.Out, arch), arch: arch}
}

func (p place) at(parts ...string) string { return filepath.Join(append([]string{p.out}, parts...)...) }

// image is where the image is.
func (p place) image() string { return p.at("initramfs.zst") }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var g grammar
	parser := kong.Must(&g, kong.Name("guest"), kong.Description("Nexus as the first process of a QEMU guest."),
		kong.UsageOnError())
	parsed, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "guest: %v\n", err)
		os.Exit(2)
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(&g); err != nil {
		report(err)
		stop()
		os.Exit(1)
	}
}

// report says what went wrong and, where there is advice, what to do.
func report(err error) {
	var failure *console.Failure
	if errors.As(err, &failure) && len(failure.Last) > 0 {
		fmt.Fprintln(os.Stderr, "guest: the last lines of the console:")
		for _, line := range failure.Last {
			fmt.Fprintf(os.Stderr, "  | %s\n", line)
		}
	}
	fmt.Fprintf(os.Stderr, "guest: %v\n", err)
	var advice interface{ Hint() string }
	if errors.As(err, &advice) {
		fmt.Fprintf(os.Stderr, "hint: %s\n", advice.Hint())
	}
}
