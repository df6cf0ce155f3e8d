package updated

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

// patchd does what a test wants with the capabilities of one patch.
type patchd func(ctx context.Context, source patch.PatchSource, target patch.PatchTarget) error

func (p patchd) Apply(ctx context.Context, call patch.Patcher_apply) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	source, target := call.Args().Source().AddRef(), call.Args().Target().AddRef()
	defer source.Release()
	defer target.Release()
	call.Go()
	err = p(ctx, source, target)
	if refused := (*refusal.Error)(nil); errors.As(err, &refused) {
		return convert.Refuse(res.NewRefusal, err)
	}
	return err
}

func readPatch(ctx context.Context, source patch.PatchSource, count uint32) (string, error) {
	answer, release := source.ReadPatch(ctx, func(p patch.PatchSource_readPatch_Params) error {
		p.SetCount(count)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return "", err
	}
	b, err := res.Bytes()
	return string(b), err
}

func readOld(ctx context.Context, source patch.PatchSource, offset uint64, count uint32) (string, error) {
	answer, release := source.ReadOld(ctx, func(p patch.PatchSource_readOld_Params) error {
		p.SetOffset(offset)
		p.SetCount(count)
		return nil
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return "", err
	}
	b, err := res.Bytes()
	return string(b), err
}

func write(ctx context.Context, target patch.PatchTarget, text string) error {
	answer, release := target.Write(ctx, func(p patch.PatchTarget_write_Params) error {
		return p.SetBytes([]byte(text))
	})
	defer release()
	_, err := answer.Struct()
	return err
}

// by has a patch applied by that patchd.
func (p patchd) by(t *testing.T, ctx context.Context, w io.Writer, in io.Reader) error {
	t.Helper()
	apply := patchBy(provided(t, capnp.Client(patch.Patcher_ServerToClient(p))))
	return apply(ctx, delta.Patch{OldSize: 3, NewSize: 3}, w, strings.NewReader("old"), in, 0)
}

// TestPatchWork: patchd reads what it is given, and no more than there is.
func TestPatchWork(t *testing.T) {
	var out bytes.Buffer
	err := patchd(func(ctx context.Context, source patch.PatchSource, target patch.PatchTarget) error {
		for _, c := range []struct {
			offset uint64
			count  uint32
			want   string
		}{{0, 3, "old"}, {1, 99, "ld"}, {3, 1, ""}, {1 << 63, 5, ""}, {0, 1<<32 - 1, "old"}} {
			if got, err := readOld(ctx, source, c.offset, c.count); got != c.want || err != nil {
				t.Errorf("at %d: %q, %v", c.offset, got, err)
			}
		}
		for _, want := range []string{"pat", "ch", "", ""} {
			if got, err := readPatch(ctx, source, 3); got != want || err != nil {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		}
		return errors.Join(write(ctx, target, "ne"), write(ctx, target, "w"))
	}).by(t, t.Context(), &out, strings.NewReader("patch"))
	if err != nil || out.String() != "new" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestPatchFails: a refusal of patchd is the refusal of the stage, but what failed here comes first, whatever patchd
// says.
func TestPatchFails(t *testing.T) {
	full := refusal.New(refusal.NoSpace, "the disk is full")
	for name, c := range map[string]struct {
		do   patchd
		w    io.Writer
		want refusal.Reason
	}{
		"refused": {func(context.Context, patch.PatchSource, patch.PatchTarget) error {
			return refusal.New(refusal.BadPatch, "it makes no sense")
		}, io.Discard, refusal.BadPatch},
		"disk full": {func(ctx context.Context, _ patch.PatchSource, target patch.PatchTarget) error {
			return write(ctx, target, "new")
		}, failing{full}, refusal.NoSpace},
		"disk full, and patchd denies it": {func(ctx context.Context, _ patch.PatchSource,
			target patch.PatchTarget) error {
			write(ctx, target, "new")
			return nil
		}, failing{full}, refusal.NoSpace},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.do.by(t, t.Context(), c.w, strings.NewReader("")); refusal.Of(err) != c.want {
				t.Errorf("got %q, %v", refusal.Of(err), err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestPatchIsOver: a patchd that goes on after its work has ended reads and writes nothing more.
func TestPatchIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late := make(chan error, 1)
	cancelled := make(chan struct{})
	var out bytes.Buffer
	err := patchd(func(_ context.Context, source patch.PatchSource, target patch.PatchTarget) error {
		source, target = source.AddRef(), target.AddRef()
		go func() {
			defer source.Release()
			defer target.Release()
			<-cancelled
			_, read := readOld(context.Background(), source, 0, 3)
			wrote := write(context.Background(), target, "new")
			if read == nil || wrote == nil {
				late <- errors.New("it was let")
			}
			close(late)
		}()
		cancel()
		<-cancelled
		return nil
	}).by(t, ctx, &out, strings.NewReader(""))
	close(cancelled)
	if err == nil {
		t.Error("a cancelled stage was not refused")
	}
	if err := <-late; err != nil || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}

// TestPatchdDies: the stage is refused, and not tried again: the patch has been read by then.
func TestPatchdDies(t *testing.T) {
	h, cut := vattest.Provide(t, capnp.Client(patch.Patcher_ServerToClient(patchd(
		func(ctx context.Context, _ patch.PatchSource, target patch.PatchTarget) error {
			if err := write(ctx, target, "n"); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}))))
	first := writing{begun: make(chan struct{})}
	go func() {
		<-first.begun
		cut()
	}()
	err := patchBy(h)(t.Context(), delta.Patch{}, first, strings.NewReader(""), strings.NewReader(""), 0)
	if refusal.Of(err) != refusal.Disconnected {
		t.Errorf("got %q, %v", refusal.Of(err), err)
	}
}

type writing struct{ begun chan struct{} }

func (w writing) Write(b []byte) (int, error) {
	close(w.begun)
	return len(b), nil
}
