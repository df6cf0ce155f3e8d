package convert

import (
	"context"
	"fmt"

	"nexus/capnpgen/keystore"
	"nexus/libupdates/trust"
)

// Verify asks keystored once whose signature it is: a process that asks holds no key and cannot be talked into trusting
// one.
func Verify(ctx context.Context, client keystore.Verifier, message, signature []byte) (key trust.PublicKey, err error) {
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
	if err := Refused(res.Refusal()); err != nil {
		return key, err
	}
	publisher, err := res.Publisher()
	if err != nil {
		return key, err
	}
	if len(publisher) != len(key) {
		return key, fmt.Errorf("cannot verify: the publisher has %d bytes, not %d", len(publisher), len(key))
	}
	copy(key[:], publisher)
	return key, nil
}
