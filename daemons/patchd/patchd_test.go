package patchd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/patch"
	"nexus/daemons/convert"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/delta"
	"nexus/libupdates/refusal"
)

// A caller is updated's side of a patch.
type caller struct {
	old, patch []byte
	made       bytes.Buffer
	readFails  error
	writeFails error
	generous   int  // how many bytes more than asked for it gives
	endless    bool // the patch begins again behind its end
}

func (c *caller) ReadOld(_ context.Context, call patch.PatchSource_readOld) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	b := make([]byte, call.Args().Count())
	n, _ := bytes.NewReader(c.old).ReadAt(b, int64(call.Args().Offset()))
	return errors.Join(c.readFails, res.SetBytes(append(b[:n], make([]byte, c.generous)...)))
}

func (c *caller) ReadPatch(_ context.Context, call patch.PatchSource_readPatch) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	n := min(int(call.Args().Count()), len(c.patch), 1000)
	bytes := c.patch[:n:n]
	c.patch = c.patch[n:]
	if c.endless {
		c.patch = append(c.patch[:len(c.patch):len(c.patch)], bytes...)
	}
	return res.SetBytes(bytes)
}

func (c *caller) Write(_ context.Context, call patch.PatchTarget_write) error {
	b, err := call.Args().Bytes()
	c.made.Write(b)
	return errors.Join(err, c.writeFails)
}

// apply has a server on the other end of a connection apply the patch.
func (c *caller) apply(t *testing.T, p delta.Patch, from int64) error {
	t.Helper()
	server := &server{turn: make(chan struct{}, 1)}
	client := vattest.Link(t, capnp.Client(patch.Patcher_ServerToClient(server)))
	answer, release := patch.Patcher(client).Apply(t.Context(), func(args patch.Patcher_apply_Params) error {
		head, err := args.NewHead()
		must(t, err)
		head.SetOldSize(uint64(p.OldSize))
		head.SetNewSize(uint64(p.NewSize))
		head.SetBlockSize(uint64(p.First.Size))
		head.SetFrom(uint64(from))
		return errors.Join(head.SetBlockSha256(p.First.Digest[:]), args.SetSource(patch.PatchSource_ServerToClient(c)),
			args.SetTarget(patch.PatchTarget_ServerToClient(c)))
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// example returns a patch between two payloads that are larger than all pages together.
func example(t *testing.T) (old, fresh []byte, p delta.Patch, raw []byte) {
	t.Helper()
	line := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 40+i%7) }
	for i := range 60_000 {
		old = append(old, line(i*i)...)
		if i%1000 == 0 {
			fresh = append(fresh, "and another line"...)
		}
		fresh = append(fresh, line(i*i)...)
	}
	fresh = append(fresh, old[:len(old)/2]...) // goes back
	var out bytes.Buffer
	p, err := delta.Make(&out, bytes.NewReader(old), int64(len(old)), bytes.NewReader(fresh), int64(len(fresh)))
	must(t, err)
	return old, fresh, p, out.Bytes()
}

func TestApply(t *testing.T) {
	old, fresh, p, raw := example(t)
	for _, from := range []int64{0, 100_001, int64(len(fresh)) - 1, int64(len(fresh))} {
		c := &caller{old: old, patch: raw}
		if err := c.apply(t, p, from); err != nil || !bytes.Equal(c.made.Bytes(), fresh[from:]) {
			t.Errorf("from %d: %d of %d bytes, %v", from, c.made.Len(), len(fresh), err)
		}
	}
}

// TestApplyRefused: what is wrong with a patch is a refusal, what is wrong with the caller an exception.
func TestApplyRefused(t *testing.T) {
	old, _, p, raw := example(t)
	damaged := bytes.Clone(raw)
	damaged[len(raw)/2] ^= 1
	huge := p
	huge.NewSize = delta.MaxSize + 1
	other := p
	other.OldSize--
	for name, c := range map[string]struct {
		caller caller
		p      delta.Patch
		want   refusal.Reason
		text   string
	}{
		"damaged":     {caller{old: old, patch: damaged}, p, refusal.DigestMismatch, "digest mismatch in a block"},
		"cut":         {caller{old: old, patch: raw[:len(raw)-1]}, p, refusal.Truncated, "the patch ends too early"},
		"too long":    {caller{old: old, patch: append(bytes.Clone(raw), 0)}, p, refusal.TrailingData, "bytes after"},
		"never ends":  {caller{old: old, patch: raw, endless: true}, p, refusal.TrailingData, "bytes after"},
		"a size":      {caller{old: old, patch: raw}, other, refusal.SizeMismatch, "the patch is from"},
		"too large":   {caller{old: old, patch: raw}, huge, refusal.BadPatch, "a size is over the limit"},
		"base cut":    {caller{old: old[:len(old)/2], patch: raw}, p, refusal.IO, "the old payload ends too early"},
		"generous":    {caller{old: old, patch: raw, generous: 1}, p, refusal.IO, "more bytes came than were asked for"},
		"read fails":  {caller{old: old, patch: raw, readFails: io.ErrNoProgress}, p, refusal.IO, "no data"},
		"write fails": {caller{old: old, patch: raw, writeFails: io.ErrClosedPipe}, p, refusal.IO, "closed pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.caller.apply(t, c.p, 0)
			if refusal.Of(err) != c.want || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q, %v; want %q", refusal.Of(err), err, c.want)
			}
		})
	}
}

// TestPages: bytes are those of the payload whatever is read in whatever order, and each page is read once while it is
// used.
func TestPages(t *testing.T) {
	old := make([]byte, 12*pageBytes+17)
	for i := range old {
		old[i] = byte(i / 3)
	}
	from := &counting{ReaderAt: bytes.NewReader(old)}
	p := newPages(from, int64(len(old)))
	places := []int{0, 5, pageBytes - 3, len(old) - 20, 7 * pageBytes, pageBytes, 11 * pageBytes, 3}
	for page := range 12 {
		places = append(places, page*pageBytes, 7*page%12*pageBytes)
	}
	for _, at := range places {
		b := make([]byte, min(2*pageBytes, len(old)-at))
		if n, err := p.ReadAt(b, int64(at)); n != len(b) || err != nil || !bytes.Equal(b, old[at:at+n]) {
			t.Fatalf("at %d: %d bytes, %v", at, n, err)
		}
	}
	if n, err := p.ReadAt(make([]byte, 20), int64(len(old))-10); n != 10 || err != io.EOF {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	from.reads = 0
	for i := range 1000 {
		p.ReadAt(make([]byte, 10), int64(i%7*pageBytes))
	}
	if from.reads > maxPages {
		t.Errorf("%d reads for 7 pages", from.reads)
	}
}

type counting struct {
	io.ReaderAt
	reads int
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	c.reads++
	return c.ReaderAt.ReadAt(b, off)
}
