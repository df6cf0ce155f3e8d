package updated

import (
	"context"
	"fmt"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/vat"
	"nexus/daemons/wire"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// verifyBy returns a verification that asks keystored: this process holds no key and cannot be talked into trusting one.
func verifyBy(ctx context.Context, verifier *vat.Holding) nxs.VerifyFunc {
	return func(message, signature []byte) (key trust.PublicKey, err error) {
		ctx, cancel := bounded(ctx)
		defer cancel()
		err = verifier.Call(ctx, func(client capnp.Client) error {
			key, err = verifyOnce(ctx, keystore.Verifier(client), message, signature)
			return err
		})
		return key, err
	}
}

func verifyOnce(ctx context.Context, client keystore.Verifier, message, signature []byte) (key trust.PublicKey, err error) {
	answer, release := client.Verify(ctx, func(p keystore.Verifier_verify_Params) error {
		if err := p.SetMessage_(message); err != nil {
			return err
		}
		return p.SetSignature(signature)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return key, err
	}
	if err := wire.Refused(res.Refusal()); err != nil {
		return key, err
	}
	publisher, err := res.Publisher()
	if err != nil {
		return key, err
	}
	if len(publisher) != len(key) {
		return key, fmt.Errorf("cannot verify signature: the answer names a key of %d bytes", len(publisher))
	}
	copy(key[:], publisher)
	return key, nil
}
