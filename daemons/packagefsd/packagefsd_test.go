package packagefsd_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/registry"
	"nexus/daemons/convert"
	"nexus/daemons/discovery"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
)

// payload returns content longer than two reads.
func payload() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 2<<16+1) }

func twoBundles() *shelf {
	return &shelf{bundles: map[string]files{
		"alpha.app": {[]byte("alpha's manifest"), payload()},
		"beta":      {[]byte("beta's"), nil},
	}}
}

func viewOf(t *testing.T, s *shelf) packagefs.PackageFs {
	t.Helper()
	d := start(t)
	d.Provide("BundleMgr", s.client())
	return packagefs.PackageFs(d.Client("PackageFs", "operator"))
}

func TestStatAndList(t *testing.T) {
	const dir, file = packagefs.FileType_directory, packagefs.FileType_file
	fs := viewOf(t, twoBundles())
	size := uint64(len(payload()))
	for path, want := range map[string]entry{
		"":                       {"", dir, 0},
		"alpha.app":              {"alpha.app", dir, 0},
		"alpha.app/manifest.nxb": {"manifest.nxb", file, 16},
		"alpha.app/payload.elf":  {"payload.elf", file, size},
		"beta/payload.elf":       {"payload.elf", file, 0},
	} {
		if got, err := stat(t, fs, path); err != nil || got != want {
			t.Errorf("stat %q: %v, %v; want %v", path, got, err, want)
		}
	}
	for path, want := range map[string][]entry{
		"":          {{"alpha.app", dir, 0}, {"beta", dir, 0}},
		"alpha.app": {{"manifest.nxb", file, 16}, {"payload.elf", file, size}},
	} {
		if got, err := list(t, fs, path); err != nil || !slices.Equal(got, want) {
			t.Errorf("list %q: %v, %v; want %v", path, got, err, want)
		}
	}
	empty := viewOf(t, &shelf{})
	if got, err := list(t, empty, ""); err != nil || len(got) != 0 {
		t.Errorf("list of an empty slot: %v, %v", got, err)
	}
}

// A file is read by calls to bundlemgrd, and a payload from its file if that is handed over: nobody sees a difference.
func TestRead(t *testing.T) {
	t.Run("by calls", func(t *testing.T) { testRead(t, viewOf(t, twoBundles())) })
	t.Run("from its file", func(t *testing.T) {
		_, d := handing(t, twoBundles())
		testRead(t, packagefs.PackageFs(d.Client("PackageFs", "operator")))
	})
}

func testRead(t *testing.T, fs packagefs.PackageFs) {
	const piece = 1 << 20
	whole := payload()
	for _, c := range []struct {
		name   string
		path   string
		offset uint64
		count  uint32
		want   []byte
	}{
		{"manifest", "alpha.app/manifest.nxb", 0, 100, []byte("alpha's manifest")},
		{"part", "alpha.app/manifest.nxb", 8, 4, []byte("mani")},
		{"nothing", "alpha.app/manifest.nxb", 8, 0, nil},
		{"at the end", "alpha.app/manifest.nxb", 16, 4, nil},
		{"far behind the end", "alpha.app/manifest.nxb", math.MaxUint64, math.MaxUint32, nil},
		{"over a piece", "alpha.app/payload.elf", 0, math.MaxUint32, whole[:piece]},
		{"last piece", "alpha.app/payload.elf", 2 * piece, piece, whole[2*piece:]},
		{"empty file", "beta/payload.elf", 0, piece, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(t, fs, c.path, c.offset, c.count)
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(c.want))
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	fs := viewOf(t, twoBundles())
	const bad, none, isDir, notDir = "bad-path: ", "no-such-file: ", "is-a-directory: ", "not-a-directory: "
	for _, c := range []struct{ path, stat, list, read string }{
		{"", "", "", isDir},
		{"beta", "", "", isDir},
		{"beta/manifest.nxb", "", notDir, ""},
		{"gamma", none, none, none},
		{"gamma/manifest.nxb", none, none, none},
		{"bet", none, none, none},
		{"Beta", none, none, none},
		{"beta/other", none, none, none},
		{"beta/Manifest.nxb", none, none, none},
		{"beta/manifest.nxb/x", none, none, none},
		{"beta.nxb/manifest.nxb", none, none, none},
		{"/", bad, bad, bad},
		{".", bad, bad, bad},
		{"..", bad, bad, bad},
		{"/beta", bad, bad, bad},
		{"/beta/manifest.nxb", bad, bad, bad},
		{"beta/", bad, bad, bad},
		{"beta//manifest.nxb", bad, bad, bad},
		{"./beta", bad, bad, bad},
		{"beta/./manifest.nxb", bad, bad, bad},
		{"beta/../beta/manifest.nxb", bad, bad, bad},
		{"../beta", bad, bad, bad},
		{"beta/..", bad, bad, bad},
		{"beta\\manifest.nxb", bad, bad, bad},
		{"beta\n", bad, bad, bad},
		{"beta\x00/manifest.nxb", bad, bad, bad},
		{"\x1b[2J", bad, bad, bad},
		{"beta\xff", bad, bad, bad},
		{strings.Repeat("x", 255), none, none, none},
		{strings.Repeat("x", 256), bad, bad, bad},
	} {
		_, err := stat(t, fs, c.path)
		check(t, "stat", c.path, err, c.stat)
		_, err = list(t, fs, c.path)
		check(t, "list", c.path, err, c.list)
		_, err = read(t, fs, c.path, 0, 10)
		check(t, "read", c.path, err, c.read)
	}
}

func check(t *testing.T, what, path string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s %q: %v", what, path, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s %q: %v, want %s", what, path, err, want)
	}
}

// TestBundlemgrdRestarts checks that the view is live: it shows what the next instance of bundlemgrd publishes, and a
// call in flight goes to that instance.
func TestBundlemgrdRestarts(t *testing.T) {
	d := start(t)
	dying := twoBundles()
	asked := make(chan struct{}, 1)
	dying.hold = func(ctx context.Context) {
		asked <- struct{}{}
		<-ctx.Done()
	}
	cut := d.Provide("BundleMgr", dying.client())
	fs := packagefs.PackageFs(d.Client("PackageFs", "operator"))
	answer := make(chan error, 1)
	go func() {
		_, err := stat(t, fs, "gamma/manifest.nxb")
		answer <- err
	}()
	receive(t, asked)
	cut()
	d.Provide("BundleMgr", (&shelf{bundles: map[string]files{"gamma": {}}}).client())
	if err := receive(t, answer); err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if got, err := list(t, fs, ""); err != nil || len(got) != 1 || got[0].name != "gamma" {
		t.Errorf("after the restart: %v, %v", got, err)
	}
}

// TestCallerGivesUp checks that a caller that has gone does not wait for bundlemgrd.
func TestCallerGivesUp(t *testing.T) {
	d := start(t)
	fs := packagefs.PackageFs(d.Client("PackageFs", "operator"))
	ctx, cancel := context.WithCancel(t.Context())
	answer, release := fs.List(ctx, nil)
	defer release()
	cancel()
	if _, err := answer.Struct(); err == nil {
		t.Error("an answer came from nowhere")
	}
	if _, err := stat(t, fs, ""); err != nil {
		t.Errorf("what needs no bundlemgrd: %v", err)
	}
}

// TestManyCallsAtOnce makes many calls at once: all return, and only a few run at a time.
func TestManyCallsAtOnce(t *testing.T) {
	s := twoBundles()
	asked, gate := make(chan struct{}, 100), make(chan struct{})
	var atWork, most atomic.Int32
	s.hold = func(context.Context) {
		n := atWork.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		asked <- struct{}{}
		<-gate
		atWork.Add(-1)
	}
	d := start(t)
	d.Provide("BundleMgr", s.client())
	fs := packagefs.PackageFs(d.Client("PackageFs", "operator"))
	answers := make(chan error, cap(asked))
	for n := range cap(answers) {
		if n%20 == 0 { // one client has at most two calls running
			fs = packagefs.PackageFs(d.Client("PackageFs", "operator"))
		}
		fs := fs
		go func() {
			_, err := read(t, fs, "alpha.app/payload.elf", 0, 1<<10)
			answers <- err
		}()
	}
	for range 8 {
		receive(t, asked)
	}
	for range 100 { // calls that need no turn are answered meanwhile; a ninth call would show up
		if _, err := stat(t, fs, ""); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	for range cap(answers) {
		if err := receive(t, answers); err != nil {
			t.Fatal(err)
		}
	}
	if n := most.Load(); n != 8 {
		t.Errorf("%d calls were at work at one time, want 8", n)
	}
}

// TestOneClientTakesTwoTurns has one client make as many calls as it can; the next client still gets a turn.
func TestOneClientTakesTwoTurns(t *testing.T) {
	s := twoBundles()
	asked, gate := make(chan struct{}, 100), make(chan struct{})
	s.hold = func(context.Context) {
		asked <- struct{}{}
		<-gate
	}
	d := start(t)
	d.Provide("BundleMgr", s.client())
	greedy := packagefs.PackageFs(d.Client("PackageFs", "greedy"))
	answers := make(chan error, 51)
	ask := func(fs packagefs.PackageFs) {
		_, err := read(t, fs, "alpha.app/payload.elf", 0, 1<<10)
		answers <- err
	}
	for range 50 {
		go ask(greedy)
	}
	receive(t, asked)
	receive(t, asked)
	go ask(packagefs.PackageFs(d.Client("PackageFs", "modest")))
	receive(t, asked)
	if len(asked) != 0 {
		t.Error("the greedy client has more than two turns")
	}
	close(gate)
	for range cap(answers) {
		if err := receive(t, answers); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegistersWithEachLifeOfSamgrd(t *testing.T) {
	d := start(t)
	d.Provide("BundleMgr", twoBundles().client())
	for range 2 {
		n := &names{make(chan capnp.Client, 1), make(chan struct{})}
		cut := d.Provide("Registrar", capnp.Client(registry.Registrar_ServerToClient(n)))
		service := receive(t, n.registered)
		_, err := stat(t, packagefs.PackageFs(service), "beta") // nobody knows who asks
		if refusal.Of(convert.Excepted(err)) != refusal.NoSuchFile {
			t.Errorf("what is registered answers: %v", err)
		}
		service.Release()
		select {
		case <-n.dropped:
			t.Error("the registration was dropped")
		default:
		}
		cut()
	}
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(vattest.Patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// TestAliveWithoutBundlemgrd has more calls wait for bundlemgrd than may run at a time. packagefsd is not at fault, so
// it must still answer pings, which go the way of its clients' calls.
func TestAliveWithoutBundlemgrd(t *testing.T) {
	d := start(t)
	fs := packagefs.PackageFs(d.Client("PackageFs", "operator"))
	ctx, cancel := context.WithCancel(t.Context())
	for range 20 {
		_, release := fs.Stat(ctx, func(p packagefs.PackageFs_stat_Params) error { return p.SetPath("alpha.app") })
		defer release()
	}
	defer cancel()
	d.AwaitReady()
	d.AwaitAlive()
}

// A bundle sees its own files and those of its data bundles, whichever of its programs asks. All else does not exist
// for it. Everybody else sees the bundles of the system and of apps.
func TestWhatClientsSee(t *testing.T) {
	s := twoBundles()
	s.bundles["pages"], s.bundles["photos"] = files{[]byte("m"), []byte("p")}, files{[]byte("m"), []byte("p")}
	s.apps = []string{"beta", "pages"}
	s.asks = map[string][]string{"beta": {"PackageFs", "data:pages", "state:1MiB"}}
	d := start(t)
	d.Provide("BundleMgr", s.client())
	for client, want := range map[string][]string{
		"operator":          {"alpha.app", "beta", "pages", "photos"},
		"selftest":          {"alpha.app", "beta", "pages", "photos"},
		"bundle:beta":       {"beta", "pages"},
		"bundle:beta#7":     {"beta", "pages"},
		"bundle:beta@execd": {"beta", "pages"},
		"bundle:alpha.app":  {"alpha.app"},
		"bundle:elsewhere":  nil,
	} {
		for _, facet := range []string{"PackageFs", discovery.Facet("PackageFs")} {
			wantSeen(t, s, packagefs.PackageFs(d.Client(facet, client)), facet+" of "+client, want)
		}
	}
}

func wantSeen(t *testing.T, s *shelf, fs packagefs.PackageFs, client string, want []string) {
	t.Helper()
	entries, err := list(t, fs, "")
	var names []string
	for _, one := range entries {
		names = append(names, one.name)
	}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%s lists %q, %v; want %q", client, names, err, want)
	}
	for name := range s.bundles {
		_, errStat := stat(t, fs, name)
		_, errList := list(t, fs, name)
		_, errRead := read(t, fs, name+"/payload.elf", 0, 1)
		for _, err := range []error{errStat, errList, errRead} {
			reason := refusal.Of(convert.Excepted(err))
			if sees := slices.Contains(want, name); sees != (err == nil) || !sees && reason != refusal.NoSuchFile {
				t.Errorf("%s looks at %s: %v", client, name, err)
			}
		}
	}
}
