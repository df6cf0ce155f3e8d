package nxspack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
)

// applyVerb applies a delta.
type applyVerb struct {
	Trust  []string `required:"" sep:"none" placeholder:"PUB" help:"A publisher to trust: ${public}. May be repeated."`
	Output string   `required:"" placeholder:"FILE.nxs" help:"File for the set that the delta makes."`
	limitFlags
	Old   string `arg:"" help:"The set that the delta is based on."`
	Delta string `arg:"" help:"The delta."`
}

// Run makes the new set: the bytes that its publisher packed.
func (v *applyVerb) Run(ctx context.Context, c *command) error {
	trusted, err := anchors(v.Trust)
	if err != nil {
		return err
	}
	old, err := openSetFile(ctx, v.Old)
	if err != nil {
		return cannot("use", v.Old, err)
	}
	defer old.file.Close()
	by := &basis{anchors: trusted}
	var head *nxs.DeltaHead
	err = c.publishFile(v.Output, func(f *os.File) error {
		head, err = applyDelta(ctx, old, v.Delta, v.limits(), by, f)
		return plain(err, v.Delta)
	})
	if err != nil {
		return cannot("apply", v.Delta, err)
	}
	return c.answer(verifiedSet(v.Output, &head.Head, by),
		fmt.Sprintf("%s: version %s, %s, verified\nindex sha256: %s\nsigned by: %s\n", show(v.Output),
			head.Index.SystemVersion, count(len(head.Index.Bundles), "bundle"), head.Digest, head.Index.Publisher))
}

// applyDelta writes the set that a delta makes from an old one.
func applyDelta(ctx context.Context, old *openSet, name string, limits nxs.Limits, by *basis,
	out *os.File) (head *nxs.DeltaHead, err error) {
	err = withArchive(name, func(f *os.File, size int64) error {
		d := nxs.NewDeltaReader(interruptible{ctx, f}, size, limits, by.verify)
		if head, err = d.Open(); err != nil {
			return err
		}
		total := int64(0)
		for _, e := range head.Index.Bundles {
			total += e.PayloadSize
		}
		if err := durable.Reserve(out, total); err != nil {
			return err
		}
		return d.Rebuild(out, old.find)
	})
	return head, err
}

// verifyDelta checks a whole delta, without the payloads that it is based on. It calls each with every bundle.
func verifyDelta(ctx context.Context, name string, limits nxs.Limits, verify nxs.VerifyFunc,
	each func(*nxs.DeltaHead, *nxs.DeltaBundle) error) (head *nxs.DeltaHead, size int64, err error) {
	err = withArchive(name, func(f *os.File, n int64) error {
		size = n
		d := nxs.NewDeltaReader(interruptible{ctx, f}, n, limits, verify)
		if head, err = d.Open(); err != nil {
			return err
		}
		for {
			b, err := d.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = each(head, b)
			}
			if err != nil {
				return err
			}
		}
	})
	return head, size, err
}

// isDelta reports whether a file says that it is a delta.
func isDelta(name string) bool {
	delta := false
	err := withArchive(name, func(f *os.File, size int64) error {
		delta = nxs.IsDelta(f, size)
		return nil
	})
	return err == nil && delta
}
