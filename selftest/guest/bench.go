package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"nexus/daemons/initd"
	"nexus/daemons/initd/machine"
	"nexus/selftest/bench/table"
	"nexus/selftest/console"
	"nexus/selftest/demo"
	"nexus/selftest/image"
	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
)

// benchVerb measures guests. It starts each in several ways, several times, and prints medians.
type benchVerb struct {
	Arch []string `arg:"" enum:"riscv64,amd64" help:"Architectures: riscv64, amd64."`
	Runs int      `default:"5" help:"How often to start each."`
	Bin  string   `default:"bin" help:"Folder with the packers."`
}

// benchPatience bounds one start.
const benchPatience = 10 * time.Minute

// firstHealth is the line that says that the system is up and confirmed.
const firstHealth = "init: health ok (slot a)"

// The figures of a start, in seconds and MiB: from QEMU's start to the first line of the first process, from there to
// firstHealth, both together, and then the memory of each daemon (PSS), in the order of the authority table.
const (
	toFirst = iota
	toHealth
	fromPower
	memory
)

// Run prints a table for each architecture.
func (v *benchVerb) Run(ctx context.Context, g *grammar) error {
	for _, arch := range v.Arch {
		if err := v.measure(ctx, g, arch); err != nil {
			return fmt.Errorf("cannot measure guest %s: %w", arch, err)
		}
	}
	return nil
}

func (v *benchVerb) measure(ctx context.Context, g *grammar, arch string) error {
	info, err := os.Stat(g.place(arch).image())
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "nexus-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	seconds := func(s float64) string { return fmt.Sprintf("%.2f s", s) }
	t := table.Table{Columns: []table.Column{{Name: "to the first line of init", Show: seconds},
		{Name: "from there to `" + firstHealth + "`", Show: seconds}, {Name: "both", Show: seconds}}}
	if t.Rows, err = v.rows(g, arch, work); err != nil {
		return err
	}
	if err := t.Measure(ctx, v.Runs, func() error { return nil }); err != nil {
		return err
	}
	fmt.Printf("guest %s, from QEMU's start, medians of %d; image without kernel %s\n\n%s\n", arch, v.Runs,
		humanize.IBytes(uint64(info.Size())), t.Markdown())
	for i, daemon := range initd.Table() {
		of := func(start []float64) float64 { return start[memory+i] }
		if pss := t.Median(t.Rows[0].Name, of); pss > 0 {
			fmt.Printf("memory of %s (PSS): %.1f MiB\n", daemon.Name, pss)
		}
	}
	fmt.Printf("memory of all daemons: %.1f MiB\n\n", t.Median(t.Rows[0].Name, func(start []float64) (sum float64) {
		for _, pss := range start[memory:] {
			sum += pss
		}
		return sum
	}))
	return nil
}

// rows are the ways to start: without a disk; and for some numbers of bundles from a new disk, when the set comes out
// of the image into slot a, and again, when the slot is what there is and every byte of it is checked. Image and
// programs, in sealed memory, take more memory then.
func (v *benchVerb) rows(g *grammar, arch, work string) ([]*table.Row, error) {
	row := func(name string, start func(ctx context.Context) ([]float64, error)) *table.Row {
		return &table.Row{Name: name, Run: start}
	}
	rows := []*table.Row{row("without a disk", func(ctx context.Context) ([]float64, error) {
		return measureStart(ctx, g, machineFlags{Arch: arch, Memory: qemu.DefaultMemory}, g.place(arch).image())
	})}
	for _, bundles := range []int{1, 10, 24} {
		img, err := v.imageWith(g, arch, bundles, filepath.Join(work, fmt.Sprint(bundles)))
		if err != nil {
			return nil, err
		}
		disk := img + ".disk"
		start := func(ctx context.Context) ([]float64, error) {
			flags := machineFlags{Arch: arch, Memory: 2 * qemu.DefaultMemory, Disk: disk, Size: qemu.DefaultDiskSize}
			return measureStart(ctx, g, flags, img)
		}
		rows = append(rows, row(fmt.Sprintf("%d bundles, a new disk", bundles),
			func(ctx context.Context) ([]float64, error) {
				os.Remove(disk)
				return start(ctx)
			}), row(fmt.Sprintf("%d bundles, the next start", bundles), start))
	}
	return rows, nil
}

// imageWith builds an image that starts from a set of that many bundles.
func (v *benchVerb) imageWith(g *grammar, arch string, bundles int, work string) (string, error) {
	p := g.place(arch)
	found, err := kernel.Find(p.cache, p.arch)
	if err != nil {
		return "", err
	}
	spec, err := p.spec(found)
	if err != nil {
		return "", err
	}
	if spec.Factory, err = demo.Many(v.Bin, p.at("demo"), bundles, work); err != nil {
		return "", err
	}
	spec.Sets = nil
	path := filepath.Join(work, "initramfs.zst")
	_, err = image.WriteFile(path, spec)
	return path, err
}

// measureStart starts a guest, sees it healthy, asks what its daemons need, and has it power off.
func measureStart(ctx context.Context, g *grammar, flags machineFlags, img string) ([]float64, error) {
	m, err := flags.machine(g)
	if err != nil {
		return nil, err
	}
	m.Image = img
	ctx, cancel := context.WithTimeout(ctx, benchPatience)
	defer cancel()
	begin := time.Now()
	guest, err := qemu.Start(m, "")
	if err != nil {
		return nil, err
	}
	defer guest.Wait()
	defer guest.Kill()
	defer context.AfterFunc(ctx, guest.Kill)()

	start := make([]float64, memory+len(initd.Table()))
	err = errors.New("it ended before it was healthy")
	console.Each(guest.Console(), func(line string) bool {
		if strings.HasPrefix(line, machine.LineFirst) {
			start[toFirst] = time.Since(begin).Seconds()
		}
		if line != firstHealth {
			return true
		}
		start[fromPower] = time.Since(begin).Seconds()
		start[toHealth] = start[fromPower] - start[toFirst]
		if err = askMemory(ctx, guest, start[memory:]); err == nil {
			err = guest.Shutdown(ctx)
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	io.Copy(io.Discard, guest.Console())
	return start, guest.Wait()
}

// askMemory asks the guest what its daemons need, in MiB.
func askMemory(ctx context.Context, guest *qemu.Guest, memory []float64) error {
	system, err := guest.Operator(ctx)
	if err != nil {
		return err
	}
	defer system.Release()
	answer, release := system.Daemons(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	list, err := res.Daemons()
	if err != nil {
		return err
	}
	for i := range list.Len() {
		name, err := list.At(i).Name()
		if err != nil {
			return err
		}
		for at, row := range initd.Table() {
			if row.Name == name {
				memory[at] = float64(list.At(i).PssBytes()) / (1 << 20)
			}
		}
	}
	return nil
}
