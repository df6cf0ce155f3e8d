package oci

import (
	"context"
	"crypto/x509"
	"net/http"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"nexus/libupdates/refusal"
)

// A Client pushes and fetches what one reference names. Its methods refuse with BadRegistry, NotASet, NotInRegistry,
// RegistryDenied, RegistryUnavailable, UntrustedRegistry and Stalled.
type Client struct {
	ref  Reference
	repo *remote.Repository
	pace Pace
}

// Options of a Client.
type Options struct {
	Roots       *x509.CertPool // who vouches for a registry; nil: whom this machine trusts
	Credentials []byte         // in the format of Docker's config.json; empty: none
	Pace        Pace
	Line        Line
}

// New returns a Client. It speaks TLS, but plain HTTP to a registry on this machine for which no roots are given.
// Refusal: BadFile, for the credentials.
func New(ref Reference, o Options) (*Client, error) {
	repo, err := remote.NewRepository(ref.name.String())
	if err != nil {
		return nil, err
	}
	credential, err := credentialsIn(o.Credentials)
	if err != nil {
		return nil, err
	}
	repo.PlainHTTP = ref.local() && o.Roots == nil
	repo.MaxMetadataBytes = maxManifest
	// a registry of OCI 1.0 has the deltas of a set in an index
	repo.ManifestMediaTypes = []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex}
	repo.SkipReferrersGC = true
	repo.ReferrerListMaxPages = maxPages
	repo.Client = &auth.Client{
		Client:     newHTTP(repo.PlainHTTP, o),
		Header:     http.Header{"User-Agent": {"nexus"}},
		Cache:      auth.NewCache(),
		ClientID:   "nexus",
		Credential: credential,
	}
	return &Client{ref, repo, o.Pace}, nil
}

// credentialsIn returns the credentials in a config. Programs that it names are not run.
func credentialsIn(config []byte) (auth.CredentialFunc, error) {
	if len(config) == 0 {
		return nil, nil
	}
	store, err := credentials.NewMemoryStoreFromDockerConfig(config)
	if err != nil { // its text may have parts of the config
		return nil, refusal.New(refusal.BadFile, "it is not in the format of Docker's config.json")
	}
	return func(ctx context.Context, host string) (auth.Credential, error) {
		found, err := credentials.Credential(store)(ctx, host)
		if err != nil {
			err = refusal.New(refusal.BadFile, "the credentials for %s are not in the format of Docker's config.json",
				host)
		}
		return found, err
	}, nil
}

// scoped returns a context whose requests ask for these rights on the repository.
func (c *Client) scoped(ctx context.Context, actions ...string) context.Context {
	return auth.AppendRepositoryScope(ctx, c.ref.name, actions...)
}
