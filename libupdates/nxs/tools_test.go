package nxs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

var update = flag.Bool("update", false,
	"write the table of docs/packaging/system-set.md, and the archives of testdata/tools, again")

// A writing is a tool that packs the small set from its files, and the expected result. The script runs in the set's
// folder, where all files have mode 0644. Its arguments are the archive and the files in the order of a set.
type writing struct {
	tool, version string // as the documents name it, and the version that was tried last
	need          string // a command without which there is no such tool
	how           string // as the documents show it
	script        string
	want          refusal.Reason // none: it is accepted
	says          string         // what the refusal has
	keep          string         // the archive in testdata/tools, for machines without the tool
}

const (
	zeroTimes  = `touch -d @0 -- "${@:2}"; `
	tarOptions = "--format=ustar -b1 --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=u=rwX,go=rX"
	python     = `python3 - "$@" <<'END'
import sys, tarfile
PRELUDE
with tarfile.open(sys.argv[1], "w", format=tarfile.FORMAT) as out:
    for name in sys.argv[2:]:
        out.add(name, filter=plain)
END`
	plain = `
def plain(e):
    e.uid = e.gid = e.mtime = 0
    e.uname = e.gname = ""
    return e
`
)

func pythonScript(format, prelude string) string {
	return strings.NewReplacer("PRELUDE", prelude, "FORMAT", format).Replace(python)
}

func nodeScript(program string) string { return "node - \"$@\" <<'END'\n" + program + "\nEND" }

func writings() []writing {
	gnu := func(how string, want refusal.Reason, says, keep string) writing {
		return writing{"GNU tar", "1.34", "tar", "`tar -c " + how + "`", "tar -c " + how + ` -f "$@"`, want, says, keep}
	}
	bsd := func(how string, want refusal.Reason, says, keep string) writing {
		return writing{"bsdtar", "3.6.2", "bsdtar", "`touch -d @0`, `bsdtar -c " + how + "`", zeroTimes + "bsdtar -c " +
			how + ` -f "$@"`, want, says, keep}
	}
	py := func(how, script string, want refusal.Reason, says, keep string) writing {
		return writing{"Python tarfile", "3.11", "python3", how, script, want, says, keep}
	}
	without := func(option string) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(" "+tarOptions+" ", " "+option+" ", " ")), " ")
	}
	return []writing{
		gnu(tarOptions, "", "", ""),
		gnu(strings.Replace(tarOptions, "ustar", "gnu", 1), "", "", "gnutar-gnu"),
		gnu(without("-b1"), refusal.TrailingData, "GNU tar: -b1", ""),
		gnu(without("--mtime=@0"), refusal.BadArchive, "GNU tar: --mtime=@0", ""),
		gnu(without("--numeric-owner"), refusal.BadArchive, "GNU tar and bsdtar: --numeric-owner", ""),
		gnu(strings.Replace(tarOptions, "ustar", "v7", 1), refusal.BadArchive, "GNU tar: --format=ustar", ""),
		gnu("--format=pax", refusal.BadEntryType, "GNU tar and bsdtar: --format=ustar", ""),
		gnu(tarOptions+" -z", refusal.BadArchive, "compressed with gzip", ""),
		bsd("--format=ustar --uid 0 --gid 0 --numeric-owner", "", "", "bsdtar"),
		bsd("--format=ustar --uid 0 --gid 0", refusal.BadArchive, "GNU tar and bsdtar: --numeric-owner", ""),
		{"busybox tar", "1.35.0", "busybox", "`touch -d @0`, `busybox tar -c` (owners cannot be left out)", zeroTimes +
			`busybox tar -c -f "$@"`,
			refusal.BadArchive, "", ""},
		py("`USTAR_FORMAT`, `RECORDSIZE = 512`, owners and times 0",
			pythonScript("USTAR_FORMAT", "tarfile.RECORDSIZE = 512"+plain), "", "", "python"),
		py("`USTAR_FORMAT`, owners and times 0", pythonScript("USTAR_FORMAT", plain), refusal.TrailingData,
			"Python: tarfile.RECORDSIZE = 512", ""),
		py("default format", pythonScript("PAX_FORMAT", "plain = None"), refusal.BadEntryType,
			"USTAR_FORMAT and whole seconds", ""),
		{"npm tar", "7.5.23", "node", "`portable`, `noPax`, `mtime: new Date(0)`", nodeScript(`
require("tar").create({file: process.argv[2], sync: true, portable: true, noPax: true, mtime: new Date(0)}, process.argv.slice(3))`),
			"", "", "npm-tar"},
		{"npm tar-stream", "3.2.2", "node", "`mode`, `uid`, `gid` given, `mtime: new Date(0)`", nodeScript(`
const fs = require("fs"), pack = require("tar-stream").pack()
for (const name of process.argv.slice(3)) pack.entry({name, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0)}, fs.readFileSync(name))
pack.finalize()
pack.pipe(fs.createWriteStream(process.argv[2]))`), "", "", "npm-tar-stream"},
	}
}

// Sets from other programs are accepted or refused as documented, and a refusal says what to do.
func TestWhatOtherToolsWrite(t *testing.T) {
	for _, w := range writings() {
		t.Run(w.tool+" "+strings.Trim(w.how, "`"), func(t *testing.T) {
			raw := w.write(t)
			_, err := read(raw)
			if got := refusal.Of(err); got != w.want || err != nil && !strings.Contains(err.Error(), w.says) {
				t.Fatalf("got %q: %v, want %q with %q", got, err, w.want, w.says)
			}
			if *update && w.keep != "" {
				if err := os.WriteFile(kept(w.keep), raw, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// write runs the tool, if it is installed.
func (w writing) write(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath(w.need); err != nil {
		t.Skipf("there is no %s on this machine to write an archive", w.need)
	}
	if module, is := strings.CutPrefix(w.tool, "npm "); is {
		if exec.Command("node", "-e", fmt.Sprintf("require(%q)", module)).Run() != nil {
			t.Skipf("there is no module %s in NODE_PATH to write an archive", module)
		}
	}
	folder := t.TempDir()
	args := []string{"-c", w.script, "bash", filepath.Join(t.TempDir(), "set.nxs")}
	for _, e := range smallEntries(t) {
		name := filepath.Join(folder, e.name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, e.body, 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, e.name)
	}
	cmd := exec.Command("bash", args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return readFile(t, args[3])
}

func kept(name string) string { return filepath.Join("testdata/tools", name+".nxs") }

// Archives that the tools have written are accepted, even where the tools are not installed.
func TestArchivesOfOtherTools(t *testing.T) {
	for _, w := range writings() {
		if w.keep == "" {
			continue
		}
		if c, err := read(readFile(t, kept(w.keep))); err != nil || len(c.bundles) != 2 {
			t.Errorf("%s: %v", w.tool, err)
		}
	}
}

// Equivalent forms of other writers: Rust's crate tar leaves the type NUL and ends a checksum with a NUL only, npm's
// writers put the space of the checksum before the NUL, bsdtar ends numbers with a space and a NUL.
func otherForms(t testing.TB) map[string][]byte {
	resealed := func(form string, change func(b []byte)) []byte {
		made := updatestest.Archive(t, updatestest.Key(1), "1.1.0", small()...)
		for i := range smallEntries(t) {
			block := made[place(t, i) : place(t, i)+512]
			change(block)
			seal(block)
			var sum int
			fmt.Sscanf(string(block[148:154]), "%o", &sum)
			copy(block[148:156], fmt.Sprintf(form, sum))
		}
		return made
	}
	return map[string][]byte{
		"the checksum of npm's writers": resealed("%06o \x00", func([]byte) {}),
		"the headers of Rust's tar":     resealed("%07o\x00", func(b []byte) { b[156] = 0; copy(b[257:], "ustar  \x00") }),
		"the numbers of bsdtar":         resealed("%06o\x00 ", func(b []byte) { copy(b[100:], "000644 \x00000000 \x00000000 \x00") }),
	}
}

func TestOtherForms(t *testing.T) {
	for name, raw := range otherForms(t) {
		if _, err := read(raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if bytes.Equal(raw, smallArchive(t)) {
			t.Errorf("%s: they are ours", name)
		}
	}
}

// A correct checksum in a form that is not accepted is not reported as wrong.
func TestTheWordsAboutAChecksum(t *testing.T) {
	raw := smallArchive(t)
	copy(raw[148:156], strings.Replace(string(raw[148:156]), "0", " ", 1))
	_, err := read(raw)
	wantReason(t, err, refusal.BadArchive)
	if !strings.Contains(err.Error(), "is correct, but not encoded as") {
		t.Errorf("got %v", err)
	}
	raw[10] ^= 1
	if _, err := read(raw); err == nil || !strings.Contains(err.Error(), "checksum is wrong") {
		t.Errorf("got %v", err)
	}
}

// The table in the documentation is that of the test.
func TestDocumentedTools(t *testing.T) {
	const name, begin, end = "../../docs/packaging/system-set.md", "| tool | version | how | outcome, and what the refusal says |\n|---|---|---|---|\n", "\n\n"
	raw := string(readFile(t, name))
	before, rest, found := strings.Cut(raw, begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("there is no table of tools")
	}
	var rows []string
	for _, w := range writings() {
		outcome := "accepted"
		if w.want != "" {
			outcome = strings.TrimSuffix(fmt.Sprintf("`%s`: %s", w.want, w.says), ": ")
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", w.tool, w.version, w.how, outcome))
	}
	if want := strings.Join(rows, "\n"); table != want && !*update {
		t.Errorf("go test ./libupdates/nxs -run TestDocumentedTools -update writes it again; it should be\n%s", want)
	} else if table != want {
		if err := os.WriteFile(name, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
