package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
)

// A tool makes and applies patches, by scripts of sh with $OLD, $NEW and $PATCH; apply makes $OUT.
type tool struct{ name, program, make, apply string }

func tools() []tool {
	return []tool{
		{"nexus", "sh", `exec "$SELF" make "$OLD" "$NEW" "$PATCH"`, `exec "$SELF" apply "$OLD" "$PATCH" "$OUT"`},
		{"bsdiff", "bsdiff", `exec bsdiff "$OLD" "$NEW" "$PATCH"`, `exec bspatch "$OLD" "$OUT" "$PATCH"`},
		{"xdelta3 -9", "xdelta3", `exec xdelta3 -f -9 -B 134217728 -e -s "$OLD" "$NEW" "$PATCH"`,
			`exec xdelta3 -f -d -s "$OLD" "$PATCH" "$OUT"`},
		{"zstd -19 --patch-from", "zstd",
			`exec zstd -q -f -19 --long=27 --patch-from="$OLD" "$NEW" -o "$PATCH" 2>/dev/null`,
			`exec zstd -q -f -d --long=27 --patch-from="$OLD" "$PATCH" -o "$OUT"`},
		{"casync", "casync", makeCasync, `casync extract --store="$PATCH.d/new.castr" "$PATCH.d/new.caibx" "$OUT"`},
		{"rdiff", "rdiff", `rm -f "$PATCH.sig"; rdiff signature "$OLD" "$PATCH.sig" && exec rdiff delta "$PATCH.sig" "$NEW" "$PATCH"`,
			`exec rdiff patch "$OLD" "$PATCH" "$OUT"`},
	}
}

// makeCasync makes a patch of the index of the new file and the chunks that the old one does not have.
const makeCasync = `rm -rf "$PATCH.d" && mkdir "$PATCH.d" && cd "$PATCH.d" &&
casync make --store=old.castr old.caibx "$OLD" >/dev/null && casync make --store=new.castr new.caibx "$NEW" >/dev/null &&
cp new.caibx "$PATCH" && cd new.castr && find . -type f | while read -r f; do
	[ -e "../old.castr/$f" ] || cat "$f" >>"$PATCH"
done`

// A cost is what a process took: CPU seconds, and peak memory in KiB.
type cost struct {
	cpu  float64
	peak int64
}

// run runs a script and returns its cost. CPU time is measured, since it depends less on other load than time does.
func (t tool) run(ctx context.Context, script string, environment []string) (cost, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Env = append(os.Environ(), environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", t.name, err, out)
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), used.Maxrss}, nil
}

// measure prints the table of one pair.
func measure(ctx context.Context, root, name, old, fresh string, rounds int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	info, err := os.Stat(fresh)
	if err != nil {
		return err
	}
	idle, err := tool{}.run(ctx, `exec "$SELF" idle`, []string{"SELF=" + self})
	if err != nil {
		return err
	}
	fmt.Printf("\n### %s, %d bytes\n\n", name, info.Size())
	fmt.Printf(
		"| | bytes | %% of new | to bsdiff | make, CPU s | to bsdiff | peak MiB | apply, CPU s | to bsdiff | peak MiB |\n")
	fmt.Printf("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	var rows []row
	for _, t := range tools() {
		if _, err := exec.LookPath(t.program); err != nil {
			fmt.Printf("| %s is not installed | | | | | | | | | |\n", t.name)
			continue
		}
		r := row{name: t.name}
		for range rounds {
			if err := r.add(ctx, t, root, self, old, fresh); err != nil {
				return err
			}
		}
		rows = append(rows, r)
	}
	unit := rows[0]
	for _, r := range rows {
		if r.name == "bsdiff" {
			unit = r
		}
	}
	for _, r := range rows {
		fmt.Println(r.line(unit, info.Size()))
	}
	fmt.Printf("\nA process that does nothing has a peak of %.0f MiB.\n", float64(idle.peak)/1024)
	return nil
}

// A row is what one tool took for one pair.
type row struct {
	name         string
	size         int64
	makes, costs []cost
}

func (r *row) add(ctx context.Context, t tool, root, self, old, fresh string) error {
	patch, out := filepath.Join(root, "patch"), filepath.Join(root, "made")
	environment := []string{"SELF=" + self, "OLD=" + old, "NEW=" + fresh, "PATCH=" + patch, "OUT=" + out}
	os.Remove(patch)
	os.Remove(out)
	made, err := t.run(ctx, t.make, environment)
	if err != nil {
		return err
	}
	applied, err := t.run(ctx, t.apply, environment)
	if err != nil {
		return err
	}
	if err := exec.CommandContext(ctx, "cmp", "-s", fresh, out).Run(); err != nil {
		return fmt.Errorf("%s makes something else: %w", t.name, err)
	}
	info, err := os.Stat(patch)
	if err != nil {
		return err
	}
	r.size, r.makes, r.costs = info.Size(), append(r.makes, made), append(r.costs, applied)
	return nil
}

func (r *row) line(unit row, size int64) string {
	cpu := func(c cost) float64 { return c.cpu }
	peak := func(c cost) float64 { return float64(c.peak) / 1024 }
	return fmt.Sprintf("| %s | %d | %.3f | %.2f | %.2f | %.2f | %.0f | %.2f | %.2f | %.0f |", r.name, r.size,
		100*float64(r.size)/float64(size), float64(r.size)/float64(unit.size), median(r.makes, cpu),
		median(r.makes, cpu)/median(unit.makes, cpu), median(r.makes, peak), median(r.costs, cpu),
		median(r.costs, cpu)/median(unit.costs, cpu), median(r.costs, peak))
}

func median(costs []cost, of func(cost) float64) float64 {
	var all []float64
	for _, c := range costs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
