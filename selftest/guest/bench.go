package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"nexus/daemons/initd"
	"nexus/daemons/initd/machine"
	"nexus/selftest/console"
	"nexus/selftest/qemu"
)

// benchVerb measures guests. It starts each several times and prints medians.
type benchVerb struct {
	Arch []string `arg:"" enum:"riscv64,amd64" help:"Architectures: riscv64, amd64."`
	Runs int      `default:"5" help:"How often to start each."`

	Bin      string `default:"bin" help:"Folder with the packers."`
	DiskRuns int    `default:"3" help:"How often to start each with a new disk, and once more with what is on it."`
}

// benchPatience bounds one start.
const benchPatience = 3 * time.Minute

// firstHealth is the line that says that the system is up and confirmed.
const firstHealth = "init: health ok (slot a)"

// A start is what one start of a guest showed.
type start struct {
	toFirst  time.Duration // from QEMU's start to the first line of the first process
	toHealth time.Duration // from there to firstHealth
	memory   map[string]uint64
}

// Run prints a table for each architecture.
func (v *benchVerb) Run(ctx context.Context, g *grammar) error {
	for _, arch := range v.Arch {
		info, err := os.Stat(g.place(arch).image())
		if err != nil {
			return err
		}
		var starts []start
		for range v.Runs {
			m, err := (&machineFlags{Arch: arch, Memory: qemu.DefaultMemory}).machine(g)
			if err != nil {
				return err
			}
			s, err := measure(ctx, m)
			if err != nil {
				return fmt.Errorf("cannot measure guest %s: %w", arch, err)
			}
			starts = append(starts, s)
		}
		print(arch, info.Size(), starts)
		if err := v.fromDisk(ctx, g, arch); err != nil {
			return err
		}
	}
	return nil
}

// measure starts a guest, sees it healthy, asks what its daemons need, and has it power off.
func measure(ctx context.Context, m qemu.Machine) (start, error) {
	ctx, cancel := context.WithTimeout(ctx, benchPatience)
	defer cancel()
	begin := time.Now()
	guest, err := qemu.Start(m, "")
	if err != nil {
		return start{}, err
	}
	defer guest.Wait()
	defer guest.Kill()
	stop := context.AfterFunc(ctx, guest.Kill)
	defer stop()

	var s start
	err = errors.New("it ended before it was healthy")
	console.Each(guest.Console(), func(line string) bool {
		if strings.HasPrefix(line, machine.LineFirst) {
			s.toFirst = time.Since(begin)
		}
		if line != firstHealth {
			return true
		}
		s.toHealth = time.Since(begin) - s.toFirst
		if s.memory, err = memory(ctx, guest); err == nil {
			err = guest.Shutdown(ctx)
		}
		return false
	})
	if err != nil {
		return start{}, err
	}
	io.Copy(io.Discard, guest.Console())
	return s, guest.Wait()
}

// memory asks the guest what its daemons need, in bytes.
func memory(ctx context.Context, guest *qemu.Guest) (map[string]uint64, error) {
	system, err := guest.Operator(ctx)
	if err != nil {
		return nil, err
	}
	defer system.Release()
	answer, release := system.Daemons(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Daemons()
	if err != nil {
		return nil, err
	}
	memory := map[string]uint64{}
	for i := range list.Len() {
		name, err := list.At(i).Name()
		if err != nil {
			return nil, err
		}
		memory[name] = list.At(i).PssBytes()
	}
	return memory, nil
}

func print(arch string, image int64, starts []start) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "guest %s, median of %d starts\t\n", arch, len(starts))
	fmt.Fprintf(w, "image, without kernel\t%s\n", humanize.IBytes(uint64(image)))
	fmt.Fprintf(w, "QEMU's start to the first line of init\t%.2f s\n",
		median(starts, func(s start) float64 { return s.toFirst.Seconds() }))
	fmt.Fprintf(w, "from there to `%s`\t%.2f s\n", firstHealth,
		median(starts, func(s start) float64 { return s.toHealth.Seconds() }))
	for _, daemon := range initd.Table() {
		if starts[0].memory[daemon.Name] != 0 {
			fmt.Fprintf(w, "memory of %s (PSS)\t%.1f MiB\n", daemon.Name,
				median(starts, func(s start) float64 { return mebibytes(s.memory[daemon.Name]) }))
		}
	}
	fmt.Fprintf(w, "memory of all daemons\t%.1f MiB\n\t\n", median(starts, func(s start) float64 {
		var sum uint64
		for _, bytes := range s.memory {
			sum += bytes
		}
		return mebibytes(sum)
	}))
}

func mebibytes(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

func median(starts []start, of func(start) float64) float64 {
	var values []float64
	for _, s := range starts {
		values = append(values, of(s))
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
