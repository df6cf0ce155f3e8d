package packagefsd_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/daemons/convert"
	"nexus/daemons/packagefsd"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// A disk is a shelf whose payloads are files, which it hands over.
type disk struct {
	*shelf
	dir string

	mu     sync.Mutex
	handed int    // how often
	opened int    // how often a payload was opened to be read by calls
	before func() // called before one is handed over, if not nil
}

// handing starts packagefsd, linked to a disk with these bundles.
func handing(t testing.TB, s *shelf) (*disk, *vattest.Daemon) {
	t.Helper()
	on, provider := provide(t, s)
	d := start(t)
	d.Link("BundleMgr", provider, "packagefsd")
	return on, d
}

// provide starts a provider of a disk with these bundles.
func provide(t testing.TB, s *shelf) (*disk, *vattest.Daemon) {
	t.Helper()
	on := &disk{shelf: s, dir: t.TempDir()}
	manager := func(c vat.Client) capnp.Client {
		return capnp.Client(bundle.BundleMgr_ServerToClient(&hander{disk: on, hand: c.Hand}))
	}
	provider := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		b.Serve("BundleMgr", manager)
		if err := b.Ready(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	return on, provider
}

// A hander is one client's disk.
type hander struct {
	*disk
	hand func(*os.File) error
}

func (h *hander) HandPayload(_ context.Context, call bundle.BundleMgr_handPayload) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.before != nil {
		h.before()
	}
	payload := h.bundles[name].payload
	if err := os.WriteFile(h.path(name), payload, 0o600); err != nil {
		return err
	}
	file, err := os.Open(h.path(name))
	if err != nil {
		return err
	}
	defer file.Close()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	h.handed++
	sum := nxs.Sum(payload)
	res.SetHanded(true)
	if err := res.SetSha256(sum[:]); err != nil {
		return err
	}
	return h.hand(file)
}

// path is the file of a bundle's payload.
func (d *disk) path(name string) string {
	return filepath.Join(d.dir, name+nxs.Sum(d.bundles[name].payload).String())
}

func (h *hander) OpenPayload(ctx context.Context, call bundle.BundleMgr_openPayload) error {
	h.mu.Lock()
	h.opened++
	h.mu.Unlock()
	return h.shelf.OpenPayload(ctx, call)
}

func (h *hander) Query(ctx context.Context, call bundle.BundleMgr_query) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shelf.Query(ctx, call)
}

// change replaces a payload, or what a bundle asks for.
func (d *disk) change(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// wantCalls checks how often payloads were handed over, and opened.
func (d *disk) wantCalls(t *testing.T, handed, opened int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.handed != handed || d.opened != opened {
		t.Errorf("payloads were handed over %d times and opened %d times, want %d and %d", d.handed, d.opened,
			handed, opened)
	}
}

// awaitOpen waits until so many of the disk's files are open.
func (d *disk) awaitOpen(t *testing.T, want int) {
	t.Helper()
	for end := time.Now().Add(vattest.Patience); d.open(t) != want; {
		if time.Now().After(end) {
			t.Fatalf("%d payloads are open, want %d", d.open(t), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func (d *disk) open(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + one.Name()); strings.HasPrefix(to, d.dir) {
			n++
		}
	}
	return n
}

func wantRead(t *testing.T, fs packagefs.PackageFs, path string, want []byte) {
	t.Helper()
	var got []byte
	for {
		piece, err := read(t, fs, path, uint64(len(got)), 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(piece) == 0 {
			break
		}
		got = append(got, piece...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %d bytes, want %d", path, len(got), len(want))
	}
}

// A payload is taken over once, however much a client reads of it. It is closed when the client reads another one, and
// when the client has gone.
func TestPayloadIsHandedOverOnce(t *testing.T) {
	disk, d := handing(t, twoBundles())
	client, cut, err := d.Connect("PackageFs", "operator")
	if err != nil {
		t.Fatal(err)
	}
	fs := packagefs.PackageFs(client)
	wantRead(t, fs, "alpha.app/payload.elf", payload())
	wantRead(t, fs, "alpha.app/payload.elf", payload())
	disk.wantCalls(t, 1, 0)
	disk.awaitOpen(t, 1)
	wantRead(t, fs, "alpha.app/manifest.nxb", []byte("alpha's manifest"))
	wantRead(t, fs, "beta/payload.elf", nil)
	disk.wantCalls(t, 2, 0)
	disk.awaitOpen(t, 1)
	cut()
	disk.awaitOpen(t, 0)
}

// After a publication a client gets the new bytes, and the replaced file is not kept.
func TestReplacedPayload(t *testing.T) {
	disk, d := handing(t, twoBundles())
	fs := packagefs.PackageFs(d.Client("PackageFs", "operator"))
	wantRead(t, fs, "alpha.app/payload.elf", payload())
	replaced := bytes.Repeat([]byte("new"), 1<<20)
	disk.change(func() { disk.bundles["alpha.app"] = files{payload: replaced} })
	wantRead(t, fs, "alpha.app/payload.elf", replaced)
	disk.wantCalls(t, 2, 0)
	disk.awaitOpen(t, 1)
	disk.change(func() { delete(disk.bundles, "alpha.app") })
	if _, err := read(t, fs, "alpha.app/payload.elf", 0, 1); refusal.Of(convert.Excepted(err)) != refusal.NoSuchFile {
		t.Errorf("what is not published any more: %v", err)
	}
}

// A payload that is replaced right before it is handed over is read as what it is, and taken over once.
func TestReplacedBeforeHandedOver(t *testing.T) {
	disk, d := handing(t, twoBundles())
	replaced := []byte("the new one")
	disk.before = func() { disk.bundles["alpha.app"] = files{payload: replaced} }
	wantRead(t, packagefs.PackageFs(d.Client("PackageFs", "operator")), "alpha.app/payload.elf", replaced)
	disk.wantCalls(t, 1, 0)
}

// An open file gives no right: a bundle reads nothing from a data bundle that it does not ask for any more.
func TestOpenPayloadGivesNoRight(t *testing.T) {
	s := twoBundles()
	s.asks = map[string][]string{"beta": {"data:alpha.app"}}
	disk, d := handing(t, s)
	fs := packagefs.PackageFs(d.Client("PackageFs", "bundle:beta"))
	wantRead(t, fs, "alpha.app/payload.elf", payload())
	disk.change(func() { s.asks["beta"] = nil })
	if _, err := read(t, fs, "alpha.app/payload.elf", 0, 1); refusal.Of(convert.Excepted(err)) != refusal.NoSuchFile {
		t.Errorf("got %v", err)
	}
}

// What was read ahead of the answer from bundlemgrd leaves no trace in the message, if the client must not have it.
func TestWhatIsReadAheadInVain(t *testing.T) {
	s := twoBundles()
	s.asks = map[string][]string{"beta": {"data:alpha.app"}}
	disk, provider := provide(t, s)
	read := packagefsd.Reader(provider.Holding("BundleMgr", "packagefsd"), "bundle:beta")
	var message [][]byte
	wantLast := func(rooms int, last []byte) {
		t.Helper()
		message = nil
		err := read(t.Context(), "alpha.app/payload.elf", func(size int) ([]byte, error) {
			message = append(message, make([]byte, size))
			return message[len(message)-1], nil
		})
		if refused := refusal.Of(err) == refusal.NoSuchFile; refused != (last == nil) || len(message) != rooms {
			t.Fatalf("%d rooms, %v; want %d", len(message), err, rooms)
		}
		if last != nil {
			if !bytes.Equal(message[rooms-1], last) {
				t.Error("the wrong bytes were read")
			}
			message = message[:rooms-1]
		}
		if stale := bytes.Join(message, nil); len(bytes.Trim(stale, "\x00")) != 0 {
			t.Error("the message has bytes that the client must not have")
		}
	}
	wantLast(1, payload()[:1<<20])
	wantLast(1, payload()[:1<<20])
	replaced := []byte("the new one")
	disk.change(func() { disk.bundles["alpha.app"] = files{payload: replaced} })
	wantLast(2, replaced)
	disk.change(func() { delete(disk.bundles, "alpha.app") })
	wantLast(1, nil)
	disk.change(func() { s.asks["beta"] = nil })
	wantLast(0, nil)
}

// A payload that is cut short is not read as one that ends in zeros.
func TestPayloadCutShort(t *testing.T) {
	disk, d := handing(t, twoBundles())
	fs := packagefs.PackageFs(d.Client("PackageFs", "operator"))
	wantRead(t, fs, "alpha.app/payload.elf", payload())
	disk.change(func() {
		if err := os.Truncate(disk.path("alpha.app"), 100); err != nil {
			t.Fatal(err)
		}
	})
	if got, err := read(t, fs, "alpha.app/payload.elf", 0, 200); err == nil {
		t.Errorf("read %d bytes of a payload with 100", len(got))
	}
}

// Only so many payloads are kept open. Further clients read theirs by calls, until others have gone.
func TestManyPayloads(t *testing.T) {
	const most, more = 256, 3
	s := &shelf{bundles: map[string]files{"beta": {payload: []byte("beta's payload")}}}
	disk, d := handing(t, s)
	var cuts []func()
	client := func() {
		client, cut, err := d.Connect("PackageFs", "operator")
		if err != nil {
			t.Fatal(err)
		}
		cuts = append(cuts, cut)
		wantRead(t, packagefs.PackageFs(client), "beta/payload.elf", s.bundles["beta"].payload)
	}
	for range most + more {
		client()
	}
	disk.awaitOpen(t, most)
	disk.wantCalls(t, most, 2*more) // the bytes, and the end
	for _, cut := range cuts {
		cut()
	}
	disk.awaitOpen(t, 0)
	client()
	disk.awaitOpen(t, 1)
}
