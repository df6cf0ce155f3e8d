package nxspack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
)

// extractVerb unpacks a set.
type extractVerb struct {
	Trust  []string `required:"" sep:"none" placeholder:"PUB" help:"A publisher to trust: ${public}. May be repeated."`
	Output string   `required:"" placeholder:"DIR" help:"Folder to create. It must not exist yet."`
	limitFlags
	File string `arg:"" help:"The set."`
}

// Run unpacks the set. The folder appears only after the whole set has been verified.
func (v *extractVerb) Run(ctx context.Context, c *command) error {
	trusted, err := anchors(v.Trust)
	if err != nil {
		return err
	}
	by := &basis{anchors: trusted}
	var head *nxs.Head
	err = c.publishDir(v.Output, func(dir string) error {
		head, err = read(ctx, v.File, v.limits(), by,
			func(h *nxs.Head) error { return extractHead(dir, h) },
			func(b *nxs.Bundle) error {
				return makeBundle(filepath.Join(dir, b.Name+nxb.Suffix), b.RawManifest, b.Payload)
			})
		return plain(err, v.File)
	})
	if err != nil {
		return cannot("extract", v.File, err)
	}
	return c.answer(verifiedSet(v.File, head, by),
		fmt.Sprintf("%s: version %s, %s, verified and extracted to %s\n", show(v.File), head.Index.SystemVersion,
			count(len(head.Index.Bundles), "bundle"), show(v.Output)))
}

func extractHead(dir string, head *nxs.Head) error {
	if err := writeFile(filepath.Join(dir, nxs.IndexName), bytes.NewReader(head.Raw)); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, nxs.SignatureName), bytes.NewReader(head.Signature))
}

// makeBundle creates the folder of a bundle.
func makeBundle(dir string, rawManifest []byte, payload io.Reader) error {
	if err := os.Mkdir(dir, modeDir); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, nxb.PayloadFile), payload); err != nil {
		return err
	}
	return finishBundle(dir, rawManifest)
}

// finishBundle writes the manifest next to the payload.
func finishBundle(dir string, rawManifest []byte) error {
	if err := writeFile(filepath.Join(dir, nxb.ManifestFile), bytes.NewReader(rawManifest)); err != nil {
		return err
	}
	if err := os.Chmod(dir, modeDir); err != nil {
		return err
	}
	return syncDir(dir)
}
