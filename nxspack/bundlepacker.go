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
	"nexus/libupdates/refusal"
)

// bundleGrammar is the command line of nxb-pack.
type bundleGrammar struct {
	answerFlags
	Toml         string `placeholder:"FILE" help:"The manifest (default: manifest.toml beside PAYLOAD)."`
	Key          string `placeholder:"KEY" help:"${key} Needed unless the manifest has publisher and sig."`
	LimitPayload size   `placeholder:"SIZE" default:"${payload_limit}" help:"Largest payload the device takes (${default})."`
	Payload      string `arg:"" name:"payload" help:"The program."`
	Out          string `arg:"" name:"out.nxb" help:"The bundle's folder to make: NAME.nxb. It must not be there yet."`
}

// RunBundlePacker runs nxb-pack with the arguments that follow its name and returns the exit status: 0 done, 1 refused or failed, 2
// wrong usage.
// The end of the context is treated like that of RunSetPacker.
func RunBundlePacker(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &command{name: "nxb-pack", description: "Pack a program and its manifest into a Nexus bundle (.nxb).", stdout: stdout, stderr: stderr}
	return c.run(ctx, &bundleGrammar{}, args)
}

// Run packs one bundle.
func (g *bundleGrammar) Run(ctx context.Context, c *command) error {
	payload, err := readPayload(g.Payload, int64(g.LimitPayload))
	if err != nil {
		return cannot("pack", g.Payload, err)
	}
	name := g.Toml
	if name == "" {
		name = filepath.Join(filepath.Dir(g.Payload), "manifest.toml")
	}
	m, err := g.manifest(ctx, c, name, payload)
	if err != nil {
		return err
	}
	raw, err := encodeManifest(m)
	if err != nil {
		return cannot("use", name, err)
	}
	err = c.publishDir(g.Out, func(dir string) error { return fillBundle(dir, raw, bytes.NewReader(payload)) })
	if err != nil {
		return cannot("write", g.Out, err)
	}
	return c.answer(struct {
		Bundle        string `json:"bundle"`
		Name          string `json:"name"`
		Version       string `json:"version"`
		PayloadSHA256 string `json:"payloadSha256"`
		PayloadSize   int    `json:"payloadSize"`
	}{g.Out, m.Name, m.Version, nxs.Sum(payload).String(), len(payload)},
		fmt.Sprintf("%s: %s %s, payload of %d bytes\n", show(g.Out), m.Name, m.Version, len(payload)))
}

// manifest makes the manifest of the payload by manifest.toml and the key.
func (g *bundleGrammar) manifest(ctx context.Context, c *command, name string, payload []byte) (nxb.Manifest, error) {
	meta, err := readManifestToml(name)
	if err != nil {
		return nxb.Manifest{}, cannot("use", name, err)
	}
	if g.Key == "" {
		m, err := meta.signed(payload)
		return m, cannot("use", name, err)
	}
	key, err := c.signer(ctx, g.Key)
	if err != nil {
		return nxb.Manifest{}, err
	}
	m, err := meta.sign(payload, key)
	return m, cannot("use", name, err)
}

// encodeManifest writes the manifest and reads it back: what a reader would refuse is refused here, in the same words.
func encodeManifest(m nxb.Manifest) ([]byte, error) {
	raw, err := m.Encode()
	if err != nil {
		return nil, err
	}
	_, err = nxb.ParseManifest(raw)
	return raw, err
}

// readPayload reads a payload of at most limit bytes. Ed25519 wants the whole of it at once.
func readPayload(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	payload, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(payload)) > limit {
		err = refusal.New(refusal.PayloadTooLarge, "payload is over the limit of %d bytes", limit)
	}
	return payload, err
}
