package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"nexus/selftest/bench/table"
)

// A pair is two programs, of which the second replaces the first. The script puts them into the files `old` and `new`.
type pair struct{ name, script string }

// pairs returns the pairs of the tables: programs of this tree before and after a small change, a Go program in two
// releases, and files of Debian packages in the two newest versions that the package lists have.
func pairs() []pair {
	return []pair{
		{"nexus for amd64, one function more", `GOARCH=amd64` + smallChange},
		{"nexus for riscv64, one function more", `GOARCH=riscv64` + smallChange},
		{"nexus for arm64, one function more", `GOARCH=arm64` + smallChange},
		{"yq v4.44.5 to v4.44.6", `OLD=v4.44.5 NEW=v4.44.6` + released},
		{"yq v4.44.6 to v4.45.1", `OLD=v4.44.6 NEW=v4.45.1` + released},
		{"openssl of Debian, openssl", `NAME=openssl FILE=usr/bin/openssl` + packaged},
		{"libssl3 of Debian, libcrypto.so.3", `NAME=libssl3 FILE=usr/lib/*/libcrypto.so.3` + packaged},
		{"redis-tools of Debian, redis-check-rdb", `NAME=redis-tools FILE=usr/bin/redis-check-rdb` + packaged},
	}
}

// The scripts of pairs. Each takes what differs from variables.
const (
	smallChange = `
export GOARCH CGO_ENABLED=0 GOFLAGS=-buildvcs=false
cd "$TOP"
source=libupdates/semver/semver.go
sed 's/^func Valid(version string) bool {$/&\n\tif spell(version) == "NONE" {\n\t\treturn false\n\t}/' $source >"$WORK/more.go"
grep -q 'spell(version)' "$WORK/more.go" || { echo "$source has no place for the change" >&2; exit 1; }
cat >>"$WORK/more.go" <<-'END'

	func spell(text string) string {
		if len(text) > 40 {
			return strings.ToUpper(text[:40]) + " and more"
		}
		return strings.TrimSpace(text)
	}
END
printf '{"Replace": {"%s": "%s"}}' "$TOP/$source" "$WORK/more.go" >"$WORK/overlay.json"
go build -trimpath -ldflags='-s -w' -o "$WORK/old" ./daemons/nexus
go build -trimpath -ldflags='-s -w' -o "$WORK/new" -overlay "$WORK/overlay.json" ./daemons/nexus
`
	released = `
for version in $OLD $NEW; do
	GOBIN="$PWD/$version" CGO_ENABLED=0 GOFLAGS= go install -trimpath -ldflags='-s -w' github.com/mikefarah/yq/v4@$version
done
ln $OLD/yq old; ln $NEW/yq new
`
	packaged = `
set -- $(apt-cache madison $NAME | awk -F'|' '$3 ~ /Packages/ { print $2 }')
[ -n "${2-}" ] || { echo 'the package lists have only one version' >&2; exit 1; }
for version in $2 $1; do
	kept="$TOP/out/bench/debs/$NAME-$version"; mkdir -p "$kept"
	( cd "$kept"; ls *.deb >/dev/null 2>&1 || apt-get -q download $NAME=$version >/dev/null 2>&1 )
	dpkg-deb -x "$kept"/*.deb $version
done
ln $2/$FILE old; ln $1/$FILE new
`
)

// patchTables compares tools that make patches, and apply them, for each pair.
func patchTables() (all []Table) {
	for _, p := range pairs() {
		all = append(all, patching(p))
	}
	return append(all, week())
}

func patching(p pair) Table {
	cpu, peak := column("%.2f", 1), column("%.0f", 1<<20)
	compared := Table{
		Title: "patch: " + p.name, Optional: true, Setup: p.script, Floor: "bsdiff",
		Columns: []table.Column{
			{Name: "bytes", Show: column("%.0f", 1), Ratio: true}, {Name: "% of new", Show: column("%.3f", 1)},
			{Name: "make, CPU s", Show: cpu, Ratio: true}, {Name: "peak MiB", Show: peak},
			{Name: "apply, CPU s", Show: cpu, Ratio: true}, {Name: "peak MiB", Show: peak},
		},
	}
	for _, tool := range patchers() {
		compared.Rows = append(compared.Rows, Row{Name: tool.name, Needs: tool.needs,
			Run: patched(tool.make, tool.apply)})
	}
	compared.Rows = append(compared.Rows, Row{Name: "no patch: the whole program, and a process that does nothing",
		Run: unpatched})
	return compared
}

// A patcher makes and applies patches, by scripts: the first makes OUT/patch of the files old and new, the second
// OUT/new of old and the patch.
type patcher struct {
	name, make, apply string
	needs             []string
}

func patchers() []patcher {
	return []patcher{
		{"nexus", `exec "$BIN/patch" make old new "$OUT/patch"`, `exec "$BIN/patch" apply old "$OUT/patch" "$OUT/new"`,
			nil},
		{"bsdiff", `exec bsdiff old new "$OUT/patch"`, `exec bspatch old "$OUT/new" "$OUT/patch"`, []string{"bsdiff"}},
		{"xdelta3 -9", `exec xdelta3 -f -9 -B 134217728 -e -s old new "$OUT/patch"`,
			`exec xdelta3 -f -d -s old "$OUT/patch" "$OUT/new"`, []string{"xdelta3"}},
		{"zstd -19 --patch-from", `exec zstd -q -f -19 --long=27 --patch-from=old new -o "$OUT/patch" 2>/dev/null`,
			`exec zstd -q -f -d --long=27 --patch-from=old "$OUT/patch" -o "$OUT/new"`, []string{"zstd"}},
		{"casync", makeCasync, `casync extract --store="$OUT/d/new.castr" "$OUT/d/new.caibx" "$OUT/new"`,
			[]string{"casync"}},
		{"rdiff", `rdiff signature old "$OUT/sig"; exec rdiff delta "$OUT/sig" new "$OUT/patch"`,
			`exec rdiff patch old "$OUT/patch" "$OUT/new"`, []string{"rdiff"}},
	}
}

// makeCasync makes a patch of the index of the new file and the chunks that the old one does not have.
const makeCasync = `
rm -rf "$OUT/d"; mkdir "$OUT/d"
casync make --store="$OUT/d/old.castr" "$OUT/d/old.caibx" old >/dev/null
casync make --store="$OUT/d/new.castr" "$OUT/d/new.caibx" new >/dev/null
cp "$OUT/d/new.caibx" "$OUT/patch"; cd "$OUT/d/new.castr"
find . -type f | while read -r f; do [ -e "../old.castr/$f" ] || cat "$f" >>"$OUT/patch"; done
`

// crane are releases of a program in a row: what a device that follows them receives.
const crane = "v0.21.1 v0.21.2 v0.21.3 v0.21.4 v0.21.5 v0.21.6 v0.21.7 v0.21.8 v0.21.9 v0.22.0"

// week compares the size of all updates from each of these releases to the next.
func week() Table {
	versions := strings.Fields(crane)
	weekly := Table{
		Title: "patch: week: crane " + versions[0] + " to " + versions[len(versions)-1] + ", each from the one before",
		Setup: "for version in " + crane + `; do
	GOBIN="$PWD/$version" CGO_ENABLED=0 GOFLAGS= go install -trimpath -ldflags='-s -w' github.com/google/go-containerregistry/cmd/crane@$version
done`,
		Optional: true, Once: true, Floor: "bsdiff",
		Columns: []table.Column{{Name: "bytes in all", Show: column("%.0f", 1), Ratio: true}},
	}
	for _, tool := range patchers() {
		weekly.Rows = append(weekly.Rows, Row{Name: tool.name, Needs: tool.needs,
			Run: func(ctx context.Context, p Place) (Figures, error) {
				total := 0.0
				for i, version := range versions[1:] {
					pair := fmt.Sprintf(`rm -rf "$OUT"/*; ln -f %s/crane old; ln -f %s/crane new`, versions[i], version)
					if _, err := run(ctx, p, pair); err != nil {
						return nil, err
					}
					one, err := patched(tool.make, tool.apply)(ctx, p)
					if err != nil {
						return nil, err
					}
					total += one[0]
				}
				return Figures{total}, nil
			}})
	}
	return weekly
}

// patched is a row's Run: a script that makes OUT/patch, and one that makes OUT/new of it, which must be equal to the
// new file. CPU time is measured, because it depends less on other load than time does.
func patched(make, apply string) func(context.Context, Place) (Figures, error) {
	return func(ctx context.Context, p Place) (Figures, error) {
		made, err := measured(ctx, p, make)
		if err != nil {
			return nil, err
		}
		applied, err := measured(ctx, p, apply)
		if err != nil {
			return nil, err
		}
		if _, err := run(ctx, p, `cmp new "$OUT/new" >&2`); err != nil {
			return nil, fmt.Errorf("it makes something else: %w", err)
		}
		return patchFigures(p, filepath.Join(p.Out, "patch"), made, applied)
	}
}

// unpatched is what the others are to be seen beside: the size of the new file, and what any process takes.
func unpatched(ctx context.Context, p Place) (Figures, error) {
	idle, err := measured(ctx, p, `exec "$BIN/patch"`)
	if err != nil {
		return nil, err
	}
	return patchFigures(p, filepath.Join(p.Work, "new"), idle, idle)
}

// measured runs a script and returns its processor time and memory.
func measured(ctx context.Context, p Place, script string) (used usage, err error) {
	if _, err := run(ctx, p, `exec "$BIN/patch" measure '`+script+`' >"$OUT/usage"`); err != nil {
		return usage{}, err
	}
	raw, err := os.ReadFile(filepath.Join(p.Out, "usage"))
	if err != nil {
		return usage{}, err
	}
	_, err = fmt.Sscan(string(raw), &used.cpu, &used.peak)
	return used, err
}

func patchFigures(p Place, patch string, made, applied usage) (Figures, error) {
	part, err := os.Stat(patch)
	if err != nil {
		return nil, err
	}
	whole, err := os.Stat(filepath.Join(p.Work, "new"))
	if err != nil {
		return nil, err
	}
	share := 100 * float64(part.Size()) / float64(whole.Size())
	return Figures{float64(part.Size()), share, made.cpu, made.peak, applied.cpu, applied.peak}, nil
}
