package nxspack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/tree"
)

// bundleGrammar is the command line of nxb-pack.
type bundleGrammar struct {
	answerFlags
	Version kong.VersionFlag `help:"Show the version."`

	Toml         string   `placeholder:"FILE" help:"The manifest (default: manifest.toml next to PAYLOAD)."`
	Key          string   `placeholder:"KEY" xor:"by" help:"${key} Or --signature or --unsigned, unless the manifest has publisher and sig."`
	Signature    string   `placeholder:"FILE" xor:"by" and:"elsewhere" help:"A signature over PAYLOAD that was made elsewhere: 64 bytes, or their hex or base64."`
	Publisher    string   `placeholder:"PUB" and:"elsewhere" help:"The key that made --signature: ${public}."`
	Unsigned     bool     `xor:"by" help:"Omit publisher and signature, for a bundle that is only distributed in sets, where the signed index covers it."`
	LimitPayload nxs.Size `placeholder:"SIZE" default:"${payload_limit}" help:"Largest payload that the device accepts (${default})."`
	deviceFlags
	Tree    string `placeholder:"DIR" help:"Instead of PAYLOAD: make a data bundle of the files, folders and links in this folder."`
	Payload string `arg:"" optional:"" name:"payload" help:"The program."`
	Out     string `arg:"" optional:"" name:"out.nxb" help:"Folder of the bundle to create: NAME.nxb. It must not exist yet."`
}

// AfterApply checks how many arguments there are. With --tree the folder takes the place of PAYLOAD.
func (g *bundleGrammar) AfterApply() error {
	switch {
	case g.Tree != "" && g.Out != "":
		return errors.New("with --tree there is no PAYLOAD: expected `--tree DIR OUT.nxb`")
	case g.Tree != "":
		g.Payload, g.Out = filepath.Clean(g.Tree), g.Payload
	case g.Payload == "":
		return errors.New(`expected "<payload> <out.nxb>"`)
	}
	if g.Out == "" {
		return errors.New(`expected "<out.nxb>"`)
	}
	return nil
}

// RunBundlePacker runs nxb-pack with the given arguments (without the program name) and returns the exit status: 0
// done, 1 refused or failed, 2 wrong usage. Canceling the context has the same effect as in RunSetPacker.
func RunBundlePacker(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return bundlePacker(stdout, stderr).run(ctx, &bundleGrammar{}, args)
}

func bundlePacker(stdout, stderr io.Writer) *command {
	return &command{
		name:        "nxb-pack",
		description: "Pack a program and its manifest into a Nexus bundle (.nxb).",
		stdout:      stdout,
		stderr:      stderr,
	}
}

// Run packs one bundle. The payload is copied to a private folder first; digest and signature are made over that copy.
func (g *bundleGrammar) Run(ctx context.Context, c *command) error {
	payload, err := g.open()
	if err != nil {
		return cannot("pack", g.Payload, err)
	}
	defer payload.Close()
	make, err := g.maker(ctx, c)
	if err != nil {
		return err
	}
	var made bundleMade
	err = c.publishDir(g.Out, func(dir string) error {
		made, err = g.fill(ctx, dir, payload, make)
		return err
	})
	if own, ok := errors.AsType[inputError](err); ok {
		return own.error
	}
	if err != nil {
		return cannot("write", g.Out, err)
	}
	made.noted = c.note(made.Notes)
	return c.answer(made, fmt.Sprintf("%s: %s %s, payload of %d bytes\n",
		show(g.Out), made.Name, made.Version, made.PayloadSize))
}

// open opens the payload, or packs the tree as it is read.
func (g *bundleGrammar) open() (io.ReadCloser, error) {
	if g.Tree == "" {
		return os.Open(g.Payload)
	}
	if err := outside(g.Payload, g.Out, "it is in the folder of --tree, which would hold it too"); err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot(g.Payload)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() {
		defer folder.Close()
		w.CloseWithError(tree.Pack(w, folder))
	}()
	return r, nil
}

// bundleMade is the JSON answer for a packed bundle.
type bundleMade struct {
	Bundle        string `json:"bundle"`
	Name          string `json:"name"`
	Version       string `json:"version"`
	PayloadSHA256 string `json:"payloadSha256"`
	PayloadSize   int64  `json:"payloadSize"`
	noted
}

// A manifestMaker makes the manifest of a payload.
type manifestMaker func(content) (nxb.Manifest, error)

// maker reads manifest.toml and the key, or the signature and its publisher.
func (g *bundleGrammar) maker(ctx context.Context, c *command) (manifestMaker, error) {
	name := g.toml()
	meta, err := readManifestToml(name)
	if err == nil && g.Tree != "" {
		err = meta.makeData()
	}
	if err != nil {
		return nil, cannot("use", name, err)
	}
	switch {
	case g.Unsigned:
		return meta.unsigned, nil
	case g.Signature != "":
		return g.elsewhere(meta)
	case g.Key == "":
		return meta.signed, nil
	}
	key, err := c.signer(ctx, g.Key)
	if err != nil {
		return nil, err
	}
	return func(p content) (nxb.Manifest, error) { return meta.sign(p, key) }, nil
}

// elsewhere returns a maker for a manifest with a signature that was made elsewhere.
func (g *bundleGrammar) elsewhere(meta manifestToml) (manifestMaker, error) {
	publisher, err := publicKey(g.Publisher)
	if err != nil {
		return nil, err
	}
	signature, err := readSignature(g.Signature)
	if err != nil {
		return nil, cannot("use", g.Signature, err)
	}
	return func(p content) (nxb.Manifest, error) { return meta.signedBy(p, publisher, signature) }, nil
}

func (g *bundleGrammar) toml() string {
	if g.Toml != "" {
		return g.Toml
	}
	return filepath.Join(filepath.Dir(g.Payload), "manifest.toml")
}

// fill writes payload and manifest into the bundle's folder.
func (g *bundleGrammar) fill(ctx context.Context, dir string, payload io.Reader, make manifestMaker) (
	bundleMade, error,
) {
	in := fromInput{interruptible{ctx, payload}, g.Payload}
	p, err := takeContent(filepath.Join(dir, nxb.PayloadFile), in, int64(g.LimitPayload))
	if err != nil {
		return bundleMade{}, err
	}
	defer p.close()
	m, err := make(p)
	if err != nil {
		return bundleMade{}, g.notMade(err)
	}
	raw, err := encodeManifest(m)
	if err == nil {
		err = m.CheckDemands(g.SDK)
	}
	if err == nil {
		err = device{machine: g.machine()}.takes(m, p.message, p.message.Size())
	}
	if err != nil {
		return bundleMade{}, g.notMade(err)
	}
	notes := noted{bundleNotes(m, p.message, p.message.Size())}
	return bundleMade{g.Out, m.Name, m.Version, p.digest.String(), p.message.Size(), notes}, finishBundle(dir, raw)
}

// notMade turns an error of a manifestMaker into a message about manifest.toml, the key or the payload.
func (g *bundleGrammar) notMade(err error) error {
	switch refusal.Of(err) {
	case refusal.InvalidSignature, refusal.MessageTooLong, refusal.WrongArchitecture, refusal.BadTree,
		refusal.IO:
		return inputError{cannot("pack", g.Payload, err)}
	default:
		return inputError{cannot("use", g.toml(), err)}
	}
}

// A fromInput reads the payload to be packed and marks its errors, so that they are not reported as errors of the
// output.
type fromInput struct {
	r    io.Reader
	name string
}

func (f fromInput) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = ofInput(f.name, err)
	}
	return n, err
}

// encodeManifest encodes the manifest and parses it again, so that everything a reader would refuse is refused here,
// with the same message.
func encodeManifest(m nxb.Manifest) ([]byte, error) {
	raw, err := m.Encode()
	if err != nil {
		return nil, err
	}
	_, err = nxb.ParseManifest(raw)
	return raw, err
}

// tooLarge returns the refusal of a payload over the limit.
func tooLarge(limit int64) error {
	return refusal.New(refusal.PayloadTooLarge, "payload is over the limit of %d bytes", limit)
}
