package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"nexus/selftest/demo"
	"nexus/selftest/image"
	"nexus/selftest/kernel"
	"nexus/selftest/qemu"
)

// bundleCounts are how many bundles the sets have whose starts from a disk are measured.
var bundleCounts = []int{1, 10, 24}

// diskMemory is the memory of these guests in MiB: the image, and every program from sealed memory, are in it.
const diskMemory = 512

// fromDisk measures how a guest starts with a disk: first from a new one, when the set comes out of the image into slot
// a, then again, when the slot is what there is and every byte of it is checked.
func (v *benchVerb) fromDisk(ctx context.Context, g *grammar, arch string) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "guest %s with a disk, from QEMU's start to `%s`, median of %d\tfirst start\tthe next\n", arch,
		firstHealth, v.DiskRuns)
	for _, bundles := range bundleCounts {
		first, next, err := v.startTwice(ctx, g, arch, bundles)
		if err != nil {
			return fmt.Errorf("cannot measure guest %s with %d bundles: %w", arch, bundles, err)
		}
		fmt.Fprintf(w, "bundles: %d\t%.2f s\t%.2f s\n", bundles, median(first, fromPower), median(next, fromPower))
	}
	fmt.Fprintln(w, "\t\t")
	return nil
}

// fromPower is how long a start took, all in all.
func fromPower(s start) float64 { return (s.toFirst + s.toHealth).Seconds() }

// startTwice starts guests with a set of that many bundles, each twice with a disk of its own.
func (v *benchVerb) startTwice(ctx context.Context, g *grammar, arch string,
	bundles int) (first, next []start, err error) {
	work, err := os.MkdirTemp("", "nexus-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(work)
	img, err := v.imageWith(g, arch, bundles, work)
	if err != nil {
		return nil, nil, err
	}
	for n := range v.DiskRuns {
		disk := filepath.Join(work, fmt.Sprint("disk-", n))
		for _, all := range []*[]start{&first, &next} {
			m, err := (&machineFlags{Arch: arch, Memory: diskMemory, Disk: disk, Size: qemu.DefaultDiskSize}).machine(g)
			if err != nil {
				return nil, nil, err
			}
			m.Image = img
			s, err := measure(ctx, m)
			if err != nil {
				return nil, nil, err
			}
			*all = append(*all, s)
		}
	}
	return first, next, nil
}

// imageWith builds an image that starts from a set of that many bundles.
func (v *benchVerb) imageWith(g *grammar, arch string, bundles int, work string) (string, error) {
	p := g.place(arch)
	found, err := kernel.Find(p.cache, p.arch)
	if err != nil {
		return "", err
	}
	spec, err := p.spec(found.Modules)
	if err != nil {
		return "", err
	}
	spec.Sets = nil
	if spec.Factory, err = demo.Many(v.Bin, p.at("demo"), bundles, work); err != nil {
		return "", err
	}
	path := filepath.Join(work, "initramfs.zst")
	_, err = image.WriteFile(path, spec)
	return path, err
}
