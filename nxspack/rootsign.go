package nxspack

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"slices"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// rootSignVerb adds a signature.
type rootSignVerb struct {
	Key    string `required:"" placeholder:"KEY" help:"${key}"`
	File   string `arg:"" help:"The root."`
	Output string `placeholder:"FILE" help:"File for the root with the signature (default: the root itself)."`
}

// Run signs the root. Signing again with the same key changes nothing.
func (v *rootSignVerb) Run(ctx context.Context, c *command) error {
	d, err := readRoot(v.File)
	if err != nil {
		return err
	}
	key, err := c.signer(ctx, v.Key)
	if err != nil {
		return err
	}
	signature, err := sign(ctx, key, d.signed.Document)
	if err != nil {
		return cannot("sign", v.File, err)
	}
	return c.addSignature(cmp.Or(v.Output, v.File), d, key.Public(), signature)
}

// addSignature writes the root with one more signature, which takes the place of an earlier one of the same key.
func (c *command) addSignature(name string, d draft, key trust.PublicKey, signature []byte) error {
	if len(signature) != ed25519.SignatureSize || !key.Signed(d.signed.Document, signature) {
		err := refusal.New(refusal.InvalidSignature, "the signature is not that of %s over root %d, %s", key, d.Version,
			d.signed.Digest())
		return cannot("sign", name, hinted{err, "sign the raw bytes that `nxs-pack root prepare` writes"})
	}
	d.signed.Signatures = join(d.signed.Signatures, []trust.Signature{{Key: key,
		Bytes: [ed25519.SignatureSize]byte(signature)}})
	if n := len(d.signed.Signatures); n > trust.MaxSignatures {
		return cannot("sign", name, refusal.New(refusal.TooManySignatures, "%d signatures are over the limit of %d", n,
			trust.MaxSignatures))
	}
	if err := c.writeRoot(name, d.signed); err != nil {
		return cannot("write", name, err)
	}
	return c.answerRoot(name, d)
}

// join returns one signature for each key, in ascending order: that of the first list in which it is.
func join(lists ...[]trust.Signature) []trust.Signature {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b trust.Signature) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return slices.CompactFunc(all, func(a, b trust.Signature) bool { return a.Key == b.Key })
}

// rootPrepareVerb writes what must be signed.
type rootPrepareVerb struct {
	File   string `arg:"" help:"The root."`
	Output string `required:"" placeholder:"FILE" help:"File for the bytes to sign."`
}

// Run writes the document.
func (v *rootPrepareVerb) Run(c *command) error {
	d, err := readRoot(v.File)
	if err != nil {
		return err
	}
	err = c.publishFile(v.Output, func(f *os.File) error {
		_, err := f.Write(d.signed.Document)
		return err
	})
	if err != nil {
		return cannot("prepare", v.Output, err)
	}
	return c.answer(struct {
		File    string `json:"file"`
		Size    int    `json:"size"`
		Version uint64 `json:"version"`
		SHA256  string `json:"sha256"`
	}{v.Output, len(d.signed.Document), d.Version, d.signed.Digest().String()},
		fmt.Sprintf("%s: %d bytes to sign, of root %d\nsha256: %s\n", show(v.Output), len(d.signed.Document), d.Version,
			d.signed.Digest()))
}

// rootAttachVerb adds a signature that was made elsewhere.
type rootAttachVerb struct {
	Publisher string `required:"" placeholder:"PUB" help:"The key that signed: ${public}."`
	Signature string `required:"" placeholder:"FILE" help:"The signature over the output of prepare: 64 bytes, or their hex or base64; or a file of minisign or signify."`
	File      string `arg:"" help:"The root."`
	Output    string `placeholder:"FILE" help:"File for the root with the signature (default: the root itself)."`
}

// Run adds the signature if it is valid.
func (v *rootAttachVerb) Run(c *command) error {
	d, err := readRoot(v.File)
	if err != nil {
		return err
	}
	key, err := publicKey(v.Publisher)
	if err != nil {
		return err
	}
	signature, err := readSignature(v.Signature)
	if err != nil {
		return cannot("use", v.Signature, err)
	}
	return c.addSignature(cmp.Or(v.Output, v.File), d, key, signature)
}

// rootMergeVerb joins signatures.
type rootMergeVerb struct {
	Files  []string `arg:"" help:"Copies of one root."`
	Output string   `required:"" placeholder:"FILE" help:"File for the root with the signatures of all."`
}

// Run joins the valid signatures of all copies.
func (v *rootMergeVerb) Run(c *command) error {
	var merged draft
	for i, name := range v.Files {
		d, err := readRoot(name)
		if err != nil {
			return err
		}
		d.signed.Signatures = slices.DeleteFunc(d.signed.Signatures, func(s trust.Signature) bool {
			return !s.Key.Signed(d.signed.Document, s.Bytes[:])
		})
		switch {
		case i == 0:
			merged = d
		case d.signed.Digest() != merged.signed.Digest():
			return cannot("merge", name, refusal.New(refusal.DigestMismatch, "it is another root than %s: %s, not %s",
				show(v.Files[0]), d.signed.Digest(), merged.signed.Digest()))
		default:
			merged.signed.Signatures = join(merged.signed.Signatures, d.signed.Signatures)
		}
	}
	if n := len(merged.signed.Signatures); n > trust.MaxSignatures {
		return cannot("merge", v.Output, refusal.New(refusal.TooManySignatures,
			"%d signatures are over the limit of %d", n, trust.MaxSignatures))
	}
	if err := c.writeRoot(v.Output, merged.signed); err != nil {
		return cannot("write", v.Output, err)
	}
	return c.answerRoot(v.Output, merged)
}

// chainFlags say where a chain begins, and when.
type chainFlags struct {
	Pin string `placeholder:"SHA256" help:"The digest of the root to begin with (default: the first one)."`
	At  moment `placeholder:"TIME" help:"The time on the clock of the device (default: now)."`
}

// begin walks the roots in these files, as a device does that begins with the first of them, or the pinned one.
func (v chainFlags) begin(names []string) (state roots.State, pin roots.Digest, clock roots.Clock, err error) {
	var chain []roots.Signed
	for _, name := range names {
		part, err := readRoots(name)
		if err != nil {
			return state, pin, clock, cannot("read", name, err)
		}
		chain = append(chain, part...)
	}
	pin = chain[0].Digest()
	if v.Pin != "" {
		if pin, err = parsePin(v.Pin); err != nil {
			return state, pin, clock, err
		}
	}
	clock = roots.Clock{Wall: v.At.orNow()}
	state, err = roots.Begin(chain, pin, clock)
	return state, pin, clock, cannot("verify", names[len(names)-1], err)
}

// rootVerifyVerb walks a chain.
type rootVerifyVerb struct {
	chainFlags
	Files []string `arg:"" help:"Files of roots, in order of their versions."`
}

// Run walks the chain.
func (v *rootVerifyVerb) Run(c *command) error {
	state, pin, _, err := v.begin(v.Files)
	if err != nil {
		return err
	}
	return c.answer(chainAnswer{pin.String(), state.Root.Version, state.Root.Family, state.Signed.Digest().String(),
		state.Root.Expires}, fmt.Sprintf("root %d of %s, verified from %s\nsha256: %s\nexpires: %s\n",
		state.Root.Version, state.Root.Family, pin, state.Signed.Digest(), timeText(state.Root.Expires)))
}

// chainAnswer is the JSON answer for a chain that passed.
type chainAnswer struct {
	Pin           string `json:"pin"`
	Version       uint64 `json:"version"`
	Family        string `json:"family"`
	SHA256        string `json:"sha256"`
	ExpiresUnixMs uint64 `json:"expiresUnixMs"`
}
