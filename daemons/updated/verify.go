package updated

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// verifyBy returns a verification that asks keystored: this process holds no key and cannot be talked into trusting
// one.
func verifyBy(ctx context.Context, verifier *vat.Holding) nxs.VerifyFunc {
	return func(message, signature []byte) (key trust.PublicKey, err error) {
		ctx, cancel := bounded(ctx)
		defer cancel()
		err = verifier.Call(ctx, func(client capnp.Client) error {
			key, err = convert.Verify(ctx, keystore.Verifier(client), message, signature)
			return err
		})
		return key, err
	}
}
