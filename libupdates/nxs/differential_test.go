package nxs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
)

// corpus is a folder of files in the fuzzer's format, such as its cache in GOCACHE, to be compared with other readers
// as well.
var corpus = flag.String("corpus", "",
	"a `folder` of fuzz inputs of FuzzReader whose accepted part is compared as well")

// A listed is an entry of an archive as its reader lists it.
type listed struct {
	name string
	size int64
}

// accepted reads a set like a device that trusts every signature, and returns what it found, or false if it is refused.
func accepted(raw []byte) (head *nxs.Head, bundles []*nxs.Bundle, entries []listed, ok bool) {
	in := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), believe)
	head, err := in.Open()
	if err != nil {
		return nil, nil, nil, false
	}
	entries = []listed{{nxs.IndexName, int64(len(head.Raw))}, {nxs.SignatureName, int64(len(head.Signature))}}
	for {
		b, err := in.Next()
		if err == io.EOF {
			return head, bundles, entries, true
		}
		if err != nil {
			return nil, nil, nil, false
		}
		bundles = append(bundles, b)
		folder := b.Entry.Name + ".nxb/"
		entries = append(entries, listed{folder + "manifest.nxb", int64(len(b.RawManifest))},
			listed{folder + "payload.elf", b.Entry.PayloadSize})
	}
}

// archives returns the archives to be compared: all valid ones of the tests, generated ones, and those hostile and
// fuzzed ones that are accepted if every signature is trusted.
func archives(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{"small": smallArchive(t), "golden": readFile(t, "../golden/testdata/v1/system.nxs")}
	made := small()
	for i := range made {
		made[i].Manifest = segmented(t, made[i].Manifest)
		made[i].Entry.ManifestSHA256 = nxs.Sum(made[i].Manifest)
	}
	index := segmented(t, mustEncode(t, updatestest.Index(updatestest.Key(1), "1.1.0", made...)))
	e := entriesOf(t, index, made...)
	all["many segments, folders"] = pack(e[0], e[1], dir("alpha.app.nxb/"), e[2], e[3], dir("beta.nxb/"), e[4], e[5])
	all["later fields"] = updatestest.ArchiveOf(t, updatestest.Key(1), newer(t), small()...)
	for seed := range uint64(40) {
		all[fmt.Sprint("generated ", seed)] = generated(t, seed)
	}
	for _, c := range hostileArchives(t) {
		all["hostile "+c.name] = c.raw
	}
	maps.Copy(all, otherForms(t))
	for _, w := range writings() {
		if w.keep != "" {
			all["of "+w.tool] = readFile(t, kept(w.keep))
		}
	}
	for _, folder := range []string{"testdata/fuzz/FuzzReader", *corpus} {
		for _, name := range inputs(folder) {
			if raw, is := fuzzed(readFile(t, name)); is {
				all[name] = raw
			}
		}
	}
	for name, raw := range all {
		if _, _, _, ok := accepted(raw); !ok {
			delete(all, name)
		}
	}
	return all
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func inputs(folder string) []string {
	if folder == "" {
		return nil
	}
	names, _ := filepath.Glob(filepath.Join(folder, "*")) // the pattern is well formed
	return names
}

// fuzzed returns the bytes in a fuzzer input.
func fuzzed(file []byte) ([]byte, bool) {
	_, value, found := strings.Cut(strings.TrimSpace(string(file)), "\n[]byte(")
	text, err := strconv.Unquote(strings.TrimSuffix(value, ")"))
	return []byte(text), found && err == nil
}

// generated makes a set from the seed: up to six bundles, sizes around the block size, long names.
func generated(t *testing.T, seed uint64) []byte {
	t.Helper()
	draw := rand.New(rand.NewPCG(seed, 5))
	key := updatestest.Key(1)
	var bundles []updatestest.Made
	for i := range 1 + draw.IntN(6) {
		size := []int{0, 1, 511, 512, 513, 4096, draw.IntN(3000)}[draw.IntN(7)]
		payload := make([]byte, size)
		for k := range payload {
			payload[k] = byte(draw.Uint32())
		}
		name := fmt.Sprintf("b%d%s", i, strings.Repeat("-x", draw.IntN(31)))
		version := fmt.Sprintf("%d.%d.%d", draw.IntN(9), draw.IntN(99), draw.IntN(9))
		bundles = append(bundles, updatestest.Bundle(name, version, []string{"nexus.ability.Main"}[:draw.IntN(2)],
			payload, key))
	}
	return updatestest.Archive(t, key, fmt.Sprintf("%d.0.0", seed), bundles...)
}

// For what our reader accepts, GNU tar lists the same entries with the same sizes in the same order. Folders may come
// before a bundle.
func TestGNUTarListsWhatWeAccept(t *testing.T) {
	all := archives(t)
	dir := t.TempDir()
	for name, raw := range all {
		if err := os.WriteFile(filepath.Join(dir, "set.nxs"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, want, _ := accepted(raw)
		got := entriesOfTar(t, gnuTar(t, dir, "--list", "--verbose", "--numeric-owner", "--quoting-style=literal",
			"--utc", "--file", "set.nxs"))
		if !slices.Equal(got, want) {
			t.Errorf("%s: tar lists\n%v\nwe read\n%v", name, got, want)
		}
	}
	t.Logf("%d sets compared", len(all))
}

// entriesOfTar parses the output of tar: mode, owner, size, date, time, name. It leaves out folders.
func entriesOfTar(t *testing.T, list string) []listed {
	t.Helper()
	var all []listed
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) != 6 {
			t.Fatalf("tar says %q", line)
		}
		if strings.HasPrefix(fields[0], "d") {
			continue
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || !strings.HasPrefix(fields[0], "-") {
			t.Fatalf("tar says %q", line)
		}
		all = append(all, listed{fields[5], size})
	}
	return all
}

// For what our reader accepts, the reference implementation of Cap'n Proto reads the same values.
func TestCapnpReadsWhatWeAccept(t *testing.T) {
	convert := reference(t)
	all := archives(t)
	for name, raw := range all {
		head, bundles, _, _ := accepted(raw)
		var index theirIndex
		convert("systemset.capnp", "SystemSetIndex", head.Raw, &index)
		if got, want := index.text(), textOf(head.Index); got != want {
			t.Errorf("%s: capnp reads the index as\n%s\nwe as\n%s", name, got, want)
		}
		for _, b := range bundles {
			var manifest theirManifest
			convert("manifest.capnp", "BundleManifest", b.RawManifest, &manifest)
			if got, want := manifest.text(), textOfManifest(b.Manifest); got != want {
				t.Errorf("%s: capnp reads the manifest of %s as\n%s\nwe as\n%s", name, b.Entry.Name, got, want)
			}
		}
	}
	t.Logf("%d sets compared", len(all))
}

// reference returns a function that reads a message with the reference implementation.
func reference(t *testing.T) func(schema, kind string, raw []byte, into any) {
	t.Helper()
	if _, err := exec.LookPath("capnp"); err != nil {
		missing(t, "there is no capnp on this machine to compare with (package capnproto)")
	}
	library, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "capnproto.org/go/capnp/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	std := filepath.Join(strings.TrimSpace(string(library)), "std")
	return func(schema, kind string, raw []byte, into any) {
		t.Helper()
		cmd := exec.Command("capnp", "convert", "binary:json", "--no-standard-import", "-I", std,
			filepath.Join("../../schema", schema), kind)
		cmd.Stdin = bytes.NewReader(raw)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("capnp does not read what we accept: %v\n%s\n%x", err, &said, raw)
		}
		if err := json.Unmarshal(out, into); err != nil {
			t.Fatalf("capnp writes %s: %v", out, err)
		}
	}
}

// missing skips a test if a tool is missing, or fails it where all tools must be installed.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// A number is a JSON number or, beyond 32 bits, a JSON string.
type number string

func (n *number) UnmarshalJSON(b []byte) error {
	*n = number(strings.Trim(string(b), `"`))
	return nil
}

func (n number) or0() string {
	if n == "" {
		return "0"
	}
	return string(n)
}

// data is a list of numbers, one per byte.
type data []int

func (d data) hex() string {
	b := make([]byte, len(d))
	for i, v := range d {
		b[i] = byte(v)
	}
	return fmt.Sprintf("%x", b)
}

type theirIndex struct {
	SystemVersion   string
	Publisher       data
	TimestampUnixMs number
	Bundles         []struct {
		Name, Version                 string
		ManifestSha256, PayloadSha256 data
		PayloadSize                   number
	}
}

func (x theirIndex) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, x.SystemVersion, x.Publisher.hex(), x.TimestampUnixMs.or0())
	for _, e := range x.Bundles {
		fmt.Fprintln(&b, e.Name, e.Version, e.ManifestSha256.hex(), e.PayloadSha256.hex(), e.PayloadSize.or0())
	}
	return b.String()
}

func textOf(x nxs.Index) string {
	var b strings.Builder
	fmt.Fprintln(&b, x.SystemVersion, fmt.Sprintf("%x", x.Publisher[:]), x.TimestampUnixMs)
	for _, e := range x.Bundles {
		fmt.Fprintln(&b, e.Name, e.Version, e.ManifestSHA256, e.PayloadSHA256, e.PayloadSize)
	}
	return b.String()
}

type theirManifest struct {
	Name, Semver                        string
	Abilities, Capabilities             []string
	MinSdk                              string
	Publisher, Signature, PayloadDigest data
	PayloadSize                         number
}

func (m theirManifest) text() string {
	return fmt.Sprintln(m.Name, m.Semver, m.Abilities, m.Capabilities, m.MinSdk, m.Publisher.hex(), m.Signature.hex(),
		m.PayloadDigest.hex(), m.PayloadSize.or0())
}

func textOfManifest(m nxb.Manifest) string {
	return fmt.Sprintln(m.Name, m.Version, m.Abilities, m.Capabilities, m.MinSDK, fmt.Sprintf("%x", m.Publisher[:]),
		fmt.Sprintf("%x", m.Signature), fmt.Sprintf("%x", m.PayloadDigest), m.PayloadSize)
}
