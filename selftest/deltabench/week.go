package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// weekModule is a program that is released often, and weekVersions are releases of it in a row: what a device that
// follows them receives.
const weekModule = "github.com/google/go-containerregistry/cmd/crane"

var weekVersions = []string{"v0.21.1", "v0.21.2", "v0.21.3", "v0.21.4", "v0.21.5", "v0.21.6", "v0.21.7", "v0.21.8",
	"v0.21.9", "v0.22.0"}

// week prints what each tool makes of the updates from each release to the next, in bytes.
func week(ctx context.Context, root string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("\n### %s %s to %s, each from the one before\n\n| | bytes in all | to bsdiff |\n|---|---:|---:|\n",
		filepath.Base(weekModule), weekVersions[0], weekVersions[len(weekVersions)-1])
	var files []string
	for _, v := range weekVersions {
		file, err := install(ctx, root, weekModule, v)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	unit, rows := int64(0), []row{}
	for _, t := range tools() {
		total := row{name: t.name}
		for i, fresh := range files[1:] {
			one := row{name: t.name}
			if err := one.add(ctx, t, root, self, files[i], fresh); err != nil {
				return err
			}
			total.size += one.size
		}
		if rows = append(rows, total); t.name == "bsdiff" {
			unit = total.size
		}
	}
	for _, r := range rows {
		fmt.Printf("| %s | %d | %.2f |\n", r.name, r.size, float64(r.size)/float64(unit))
	}
	return nil
}
