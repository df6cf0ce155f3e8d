package convert

import (
	"context"
	"errors"
	"fmt"

	"nexus/capnpgen/keystore"
	"nexus/libupdates/trust"
)

// Verify asks keystored who made a signature. The calling process holds no keys, so it cannot be tricked into trusting
// one.
func Verify(ctx context.Context, client keystore.Verifier, message, signature []byte) (key trust.PublicKey, err error) {
	answer, release := client.Verify(ctx, func(p keystore.Verifier_verify_Params) error {
		return errors.Join(p.SetMessage_(message), p.SetSignature(signature))
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return key, err
	}
	if err := Refused(res.Refusal()); err != nil {
		return key, err
	}
	publisher, err := res.Publisher()
	if err != nil {
		return key, err
	}
	if len(publisher) != len(key) {
		return key, fmt.Errorf("cannot verify: publisher key of %d bytes, want %d", len(publisher), len(key))
	}
	copy(key[:], publisher)
	return key, nil
}
