package nxspack

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"os"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

// registryFlags say how a registry is reached.
type registryFlags struct {
	CA          string `name:"ca" placeholder:"FILE" help:"Certificates, PEM, of which one must vouch for the registry. Default: those that this machine trusts; a registry on this machine is then spoken to without TLS."`
	Credentials string `placeholder:"FILE" help:"Credentials for the registry, in the format of Docker's config.json."`
}

// client returns a client for a reference.
func (f registryFlags) client(c *command, ref oci.Reference) (*oci.Client, error) {
	options := oci.Options{Pace: c.pace}
	if f.Credentials != "" {
		var err error
		if options.Credentials, err = os.ReadFile(f.Credentials); err != nil {
			return nil, cannot("use", f.Credentials, err)
		}
	}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		options.Roots = x509.NewCertPool()
		if err == nil && !options.Roots.AppendCertsFromPEM(pem) {
			err = refusal.New(refusal.BadFile, "it holds no certificate in PEM")
		}
		if err != nil {
			return nil, cannot("use", f.CA, err)
		}
	}
	client, err := oci.New(ref, options)
	return client, cannot("use", f.Credentials, err)
}

// pullVerb pulls a set.
type pullVerb struct {
	Trust  []string `sep:"none" placeholder:"PUB" help:"A publisher to trust: ${public}. May be repeated. Without it, the set has to be signed by the key that its index names."`
	Output string   `required:"" placeholder:"FILE.nxs" help:"File for the set."`
	Have   []string `sep:"none" placeholder:"FILE.nxs" help:"A set that is here. Payloads that it has are not fetched. May be repeated."`
	registryFlags
	limitFlags
	Reference string `arg:"" placeholder:"oci://HOST[:PORT]/NAME:TAG" help:"The set: oci://HOST[:PORT]/NAME:TAG, or NAME@sha256:DIGEST for the very manifest."`
}

// Run pulls a set and verifies it on the way. The file appears only after all of it has passed.
func (v *pullVerb) Run(ctx context.Context, c *command) error {
	ref, err := oci.Parse(v.Reference)
	if err != nil {
		return err
	}
	p := &pull{limits: v.limits(), verify: ownPublisher,
		vouched: "signature: valid for %s, not checked against any trust"}
	if len(v.Trust) > 0 {
		trusted, err := anchors(v.Trust)
		if err != nil {
			return err
		}
		p.verify, p.vouched = (&basis{anchors: trusted}).verify, "signed by: %s"
	}
	for _, name := range v.Have {
		set, err := openSetFile(ctx, name)
		if err != nil {
			return cannot("use", name, err)
		}
		defer set.file.Close()
		p.have = append(p.have, set)
	}
	client, err := v.client(c, ref)
	if err != nil {
		return err
	}
	if err := c.publishFile(v.Output, func(f *os.File) error { return p.run(ctx, client, f) }); err != nil {
		return cannot("pull", ref.String(), err)
	}
	return p.answer(c, v.Output)
}

// A pull is a set on its way from a registry into a file.
type pull struct {
	limits  nxs.Limits
	verify  nxs.VerifyFunc
	vouched string // how the signature is reported
	have    []*openSet

	set     *oci.Set
	head    *nxs.Head
	fetched int64
}

// run writes the archive to the file and verifies what it writes.
func (p *pull) run(ctx context.Context, client *oci.Client, f *os.File) (err error) {
	if p.set, err = client.Fetch(ctx); err != nil {
		return err
	}
	archive := p.set.Archive(ctx, p.held)
	defer archive.Close()
	defer func() { p.fetched = archive.Fetched }()
	r := nxs.NewReader(io.TeeReader(archive, f), p.set.Size, p.limits, p.verify)
	if p.head, err = r.Open(); err != nil {
		return err
	}
	if err := p.set.CheckIndex(p.head.Index); err != nil {
		return err
	}
	if err := durable.Reserve(f, p.set.Size); err != nil {
		return err
	}
	for err == nil {
		_, err = r.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// held returns a payload of a set that is here.
func (p *pull) held(digest nxs.Digest, size int64) (io.Reader, int64, error) {
	for _, set := range p.have {
		if content, has, err := set.find(digest); err == nil && has == size {
			return io.NewSectionReader(content, 0, size), size, nil
		}
	}
	return nil, 0, nil
}

func (p *pull) answer(c *command, output string) error {
	x := p.head.Index
	return c.answer(struct {
		File           string `json:"file"`
		Size           int64  `json:"size"`
		SystemVersion  string `json:"systemVersion"`
		IndexSHA256    string `json:"indexSha256"`
		SignedBy       string `json:"signedBy"`
		ManifestSHA256 string `json:"manifestSha256"`
		BytesFetched   int64  `json:"bytesFetched"`
	}{output, p.set.Size, x.SystemVersion, p.head.Digest.String(), x.Publisher.String(), p.set.Digest.String(),
		p.fetched},
		fmt.Sprintf("%s: version %s, %s, verified, %d of %d bytes fetched\nindex sha256: %s\nmanifest sha256: %s\n"+
			p.vouched+"\n", show(output), x.SystemVersion, count(len(x.Bundles), "bundle"), p.fetched, p.set.Size,
			p.head.Digest, p.set.Digest, x.Publisher))
}
