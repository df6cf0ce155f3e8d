package initd

import (
	"context"
	"fmt"
	"os"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/update"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// corePatience bounds how long it may take to get and check a core.
const corePatience = 60 * time.Second

// A coreLoader verifies cores that updated hands out.
type coreLoader struct {
	verifier *vat.Holding // keystored's
	limit    int64        // of a core, in bytes
}

// load copies the core in the current attempt's slot into sealed memory. It does not trust updated, which serves the
// slot: keystored says whose signature it is, and the rest is checked against what was signed. So neither of the two
// alone can replace the first process.
func (l coreLoader) load(ctx context.Context, gate update.HealthGate) (*os.File, nxs.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, corePatience)
	defer cancel()
	answer, release := gate.Core(ctx, nil)
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return nil, nxs.Entry{}, err
	}
	entry, err := l.proven(ctx, res)
	if err != nil {
		return nil, nxs.Entry{}, err
	}
	program, err := blob.Load(ctx, entry, blob.FromBlob(ctx, res.Payload()))
	return program, entry, err
}

// proven returns the index's entry for the core, once the signature over the index has been verified.
func (l coreLoader) proven(ctx context.Context, res update.HealthGate_core_Results) (nxs.Entry, error) {
	raw, err := res.Index()
	if err != nil {
		return nxs.Entry{}, err
	}
	signature, err := res.Signature()
	if err != nil {
		return nxs.Entry{}, err
	}
	if len(raw) > nxs.MaxIndex || len(signature) < nxs.SignatureSize || len(signature) > nxs.MaxProof {
		return nxs.Entry{}, fmt.Errorf("index of %d bytes and signatures of %d", len(raw), len(signature))
	}
	index, err := nxs.VerifyIndex(raw, signature, l.verifyBy(ctx))
	if err != nil {
		return nxs.Entry{}, err
	}
	entry, carried := nxs.Core(index.Bundles)
	switch {
	case !carried:
		return nxs.Entry{}, refusal.New(refusal.UnknownBundle, "the set carries no %s", nxs.CoreName)
	case entry.PayloadSize > l.limit:
		return nxs.Entry{}, refusal.New(refusal.PayloadTooLarge, "%s of %d bytes is over the limit of %d", nxs.CoreName,
			entry.PayloadSize, l.limit)
	}
	return entry, nil
}

// verifyBy asks keystored whose signature it is, because the first process reads no keys.
func (l coreLoader) verifyBy(ctx context.Context) nxs.VerifyFunc {
	return func(message, signature []byte) (key trust.PublicKey, err error) {
		err = l.verifier.Call(ctx, func(client capnp.Client) error {
			key, err = convert.Verify(ctx, keystore.Verifier(client), message, signature)
			return err
		})
		return key, err
	}
}
