package keystored

import (
	"context"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A verifier serves Verifier for one role.
type verifier struct {
	anchors trust.Anchors
	role    trust.Role
}

// Verify returns which trusted key made the signature, if any.
func (v *verifier) Verify(_ context.Context, call keystore.Verifier_verify) error {
	message, err := call.Args().Message_()
	if err != nil {
		return err
	}
	signature, err := call.Args().Signature()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	publisher, err := v.verify(message, signature)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetPublisher(publisher[:])
}

func (v *verifier) verify(message, signature []byte) (trust.PublicKey, error) {
	if len(message) > int(keystore.MaxMessageBytes) {
		return trust.PublicKey{}, refusal.New(refusal.IndexTooLarge, "message of %d bytes is over %d", len(message),
			keystore.MaxMessageBytes)
	}
	return v.anchors.Verify(v.role, message, signature)
}

// A reader serves TrustAnchors.
type reader struct {
	anchors trust.Anchors
}

// List returns all anchors.
func (r *reader) List(_ context.Context, call keystore.TrustAnchors_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	anchors := r.anchors.List()
	list, err := res.NewAnchors(int32(len(anchors)))
	if err != nil {
		return err
	}
	for i, anchor := range anchors {
		if err := list.At(i).SetRole(string(anchor.Role)); err != nil {
			return err
		}
		if err := list.At(i).SetPublicKey(anchor.Key[:]); err != nil {
			return err
		}
	}
	return nil
}
