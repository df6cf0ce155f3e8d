package testscripts

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A step is one command of a document and what the document says it prints.
type step struct {
	line    int
	command string
	output  []string
}

// TestDocs runs every command block of the documents, in order, in a folder of its own, with the real binaries. What a
// document shows is what a reader will see, but for digests, keys, sizes and dates.
func TestDocs(t *testing.T) {
	t.Parallel()
	followed := 0
	for _, doc := range documents(t) {
		raw, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		steps := stepsOf(string(raw))
		if len(steps) == 0 {
			continue // it tells, and has nothing to type
		}
		followed++
		t.Run(filepath.Base(doc), func(t *testing.T) {
			if strings.Contains(string(raw), "$ schema-check ") {
				needCompiler(t)
			}
			r := newReader(t)
			for _, s := range withFreePort(t, steps) {
				r.do(s)
			}
		})
	}
	if followed < 4 {
		t.Errorf("only %d documents have commands", followed)
	}
}

// needCompiler skips a document whose commands need the Cap'n Proto compiler where that is missing. CI has to have it.
func needCompiler(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("capnp"); err != nil && os.Getenv("CI") == "" {
		t.Skip("no capnp: needs the package capnproto")
	}
}

// documents are the README and all that is under docs.
func documents(t *testing.T) []string {
	t.Helper()
	docs := []string{"../README.md"}
	err := filepath.WalkDir("../docs", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			docs = append(docs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// TestFlow holds the console of the demo's flow against testdata/flow.console: the same lines, in whatever order the
// daemons say them. The README shows some of them.
func TestFlow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(shared.bin(), "nx"), "--dir", t.TempDir(), "up",
		"--trust", filepath.Join(shared.demo(), "keys", "demo.pub"),
		"--trust", "apps="+filepath.Join(shared.demo(), "keys", "apps.pub"), "--factory",
		filepath.Join(shared.demo(), "system-v1.0.0.nxs"),
		"--selftest", shared.demo())
	console, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, console)
	}
	golden := string(readFile(t, "testdata/flow.console"))
	want, got := slices.Sorted(strings.Lines(golden)), slices.Sorted(strings.Lines(string(console)))
	got = slices.DeleteFunc(got, ofThisMachine)
	if !slices.Equal(got, want) {
		t.Errorf("the console is\n%s\nand testdata/flow.console has\n%s", console, golden)
	}
	_, shown, _ := strings.Cut(string(readFile(t, "../README.md")), "run: on this host\n")
	shown, _, found := strings.Cut(shown, "run: all ")
	if !found || shown == "" {
		t.Error("the README shows nothing of the flow")
	}
	for line := range strings.Lines(shown) {
		if !slices.Contains(want, line) {
			t.Errorf("the README shows %q, which is not in testdata/flow.console", line)
		}
	}
}

// ofThisMachine tells the lines that say what a machine cannot give; flow.console is of one that lacks nothing.
func ofThisMachine(line string) bool {
	return strings.Contains(line, "payloads are less confined on this machine")
}

// stepsOf finds the commands of a document: the lines that begin with "$ " in fenced blocks, each with the lines up to
// the next.
func stepsOf(doc string) []step {
	var steps []step
	fenced, open := false, false
	for i, line := range strings.Split(doc, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			fenced, open = !fenced, false
		case !fenced:
		case strings.HasPrefix(line, "$ "):
			steps, open = append(steps, step{line: i + 1, command: line[2:]}), true
		case open:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}

// A reader is somebody who follows a document, in a folder that holds what documents take for granted.
type reader struct {
	t   *testing.T
	dir string
}

func newReader(t *testing.T) *reader {
	r := &reader{t: t, dir: t.TempDir()}
	r.copy(filepath.Join(shared.demo(), "work", "1.1.0", "hello"), "hello", 0o755)
	r.copy(filepath.Join(shared.demo(), "work", "1.1.0", "hello.toml"), "hello.toml", 0o644)
	r.copy(filepath.Join(shared.demo(), "system-v1.1.0.toml"), "system-set.toml", 0o644)
	r.copy(filepath.Join(shared.demo(), "keys", "demo"), "demo", 0o600)
	return r
}

func (r *reader) copy(from, to string, mode os.FileMode) {
	r.t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, to), raw, mode)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// do runs one step and holds what it prints against the document.
func (r *reader) do(s step) {
	r.t.Helper()
	words := strings.Fields(s.command)
	switch {
	case words[0] == "make":
		r.wantTarget(s, words[1])
	case words[0] == "cat":
		r.write(words[1], s.output)
	case words[0] == "curl":
		text, err := get(words[len(words)-1])
		if err != nil {
			r.t.Errorf("line %d: %v", s.line, err)
		}
		r.compare(s, text)
	case words[len(words)-1] == "&":
		r.start(s, words[:len(words)-1])
	default:
		words, into := redirected(words)
		r.prepare(words)
		cmd := r.command(words)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if into != "" {
			f, err := os.Create(filepath.Join(r.dir, into))
			if err != nil {
				r.t.Fatal(err)
			}
			defer f.Close()
			cmd.Stdout = f
		}
		if slices.Contains(words, "--json") {
			cmd.Stderr = nil // for people; the document shows what programs get
		}
		cmd.Run() // some commands of a document are refused; what they print is held against it
		r.compare(s, out.String())
	}
}

// redirected takes `> FILE` off the end of a command.
func redirected(words []string) (command []string, file string) {
	if n := len(words); n > 2 && words[n-2] == ">" {
		return words[:n-2], words[n-1]
	}
	return words, ""
}

func (r *reader) command(words []string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(shared.bin(), words[0]), words[1:]...)
	cmd.Dir = r.dir
	cmd.Env = []string{"PATH=" + shared.bin() + string(os.PathListSeparator) + os.Getenv("PATH")}
	if words[0] == "go" || words[0] == "mkdir" {
		cmd = exec.Command(words[0], words[1:]...)
		cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "CGO_ENABLED=0")
	}
	return cmd
}

// shownPort is the port that documents serve on.
const shownPort = "8080"

// withFreePort has the steps use a port that nobody listens on in place of the one that they show.
func withFreePort(t *testing.T, steps []step) []step {
	t.Helper()
	free, err := unused(5000, 9999) // as wide as that
	if err != nil {
		t.Fatal(err)
	}
	replaced := slices.Clone(steps)
	for i, s := range steps {
		text := strings.ReplaceAll(strings.Join(append([]string{s.command}, s.output...), "\n"), shownPort,
			fmt.Sprint(free))
		lines := strings.Split(text, "\n")
		replaced[i].command, replaced[i].output = lines[0], lines[1:]
	}
	return replaced
}

// wantTarget wants a make target; CI runs it.
func (r *reader) wantTarget(s step, target string) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		r.t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^` + target + `:`).Match(makefile) {
		r.t.Errorf("line %d: make has no target %s", s.line, target)
	}
}

// write makes the file that a document shows.
func (r *reader) write(name string, lines []string) {
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// prepare makes what a command needs and the document has no command for: a bundle to pack, a key to sign with,
// damaged and later sets.
func (r *reader) prepare(words []string) {
	r.t.Helper()
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(r.dir, name))
		return err == nil
	}
	for i, word := range words {
		switch {
		case words[0] == "mkdir", has(word), word == "--input" && words[i+1] != "bundles":
		case strings.HasPrefix(word, "bundles/") && !has("bundles"):
			if err := os.Mkdir(filepath.Join(r.dir, "bundles"), 0o755); err != nil {
				r.t.Fatal(err)
			}
		case word == "publisher" && words[1] != "keygen":
			r.copy(filepath.Join(shared.demo(), "keys", "demo"), "publisher", 0o600)
		case word == "bad.nxs":
			r.damage("payload", "system-v1.1.0.nxs", word)
		case word == "system-v1.2.0.nxs":
			r.later(word)
		case word == "bundles" || word == "--input":
			r.pack("bundles/hello.nxb")
		}
	}
}

func (r *reader) damage(how, from, to string) {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, from))
	if err == nil {
		raw, err = damage(how, raw)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, to), raw, 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// pack packs the bundle that a document takes for granted.
func (r *reader) pack(output string) {
	r.t.Helper()
	r.prepare([]string{"nxb-pack", output})
	if _, err := os.Stat(filepath.Join(r.dir, output)); err == nil {
		return
	}
	r.must("nxb-pack", "--toml", "hello.toml", "--key", "publisher", "hello", output)
}

// later packs a set like the one before, of version 1.2.0.
func (r *reader) later(output string) {
	r.t.Helper()
	toml, err := os.ReadFile(filepath.Join(r.dir, "hello.toml"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("later.toml", []string{strings.TrimSpace(strings.Replace(string(toml), "1.1.0", "1.2.0", 1))})
	r.write("later-set.toml", []string{`system_version = "1.2.0"`})
	if err := os.Mkdir(filepath.Join(r.dir, "later"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.must("nxb-pack", "--toml", "later.toml", "--key", "publisher", "hello", "later/hello.nxb")
	r.must("nxs-pack", "--input", "later", "--meta", "later-set.toml", "--key", "publisher", "--output", output)
}

func (r *reader) must(words ...string) {
	r.t.Helper()
	if out, err := r.command(words).CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

// start runs a command in the background until the test ends, and waits until it has printed what the document shows.
func (r *reader) start(s step, words []string) {
	r.t.Helper()
	console := &collector{news: make(chan struct{}, 1)}
	cmd := r.command(words)
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	deadline := time.After(waitLimit)
	for !console.shows(s.output) {
		select {
		case <-console.news:
		case <-deadline:
			r.t.Fatalf("line %d: `%s` has not printed\n%s\nbut\n%s", s.line, s.command, strings.Join(s.output, "\n"), console.text())
		}
	}
}

// What differs from reader to reader.
var differing = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b[0-9a-f]{12,64}\b`), "<hex>"},
	{regexp.MustCompile(`\b[0-9]{4,} bytes\b`), "<n> bytes"},
	{regexp.MustCompile(`\b[0-9-]{10}T[0-9:.]{12}Z`), "<time>"},
	{regexp.MustCompile(`"payloadSize":[0-9]+`), `"payloadSize":<n>`},
	{regexp.MustCompile(`\b[0-9]+\.[0-9] [KMG]iB\b`), "<size>"},
	{regexp.MustCompile(`(?m)^.*\.nx(?:s|delta): (?:.*%|.* in place|verified,) .*\n|^.* is on trial\n`), ""},
	{regexp.MustCompile(`(?m)^hint: .*\n`), ""},
}

func alike(text string) string {
	for _, d := range differing {
		text = d.what.ReplaceAllString(text, d.as)
	}
	return strings.TrimSpace(text)
}

// compare holds output against document, without progress and hints, which a document need not show.
func (r *reader) compare(s step, got string) {
	r.t.Helper()
	want := strings.Join(s.output, "\n") + "\n"
	if alike(got) != alike(want) {
		r.t.Errorf("line %d: `%s` prints\n%s\nthe document says\n%s", s.line, s.command, got, want)
	}
}

// A collector keeps what a background command prints.
type collector struct {
	lock sync.Mutex
	news chan struct{}
	all  bytes.Buffer
}

func (c *collector) Write(b []byte) (int, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
	return c.all.Write(b)
}

func (c *collector) text() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.all.String()
}

// shows reports whether the lines stand in the console, in order.
func (c *collector) shows(lines []string) bool {
	rest := c.text()
	for _, line := range lines {
		at := strings.Index(rest, line+"\n")
		if at < 0 {
			return false
		}
		rest = rest[at+len(line)+1:]
	}
	return true
}
