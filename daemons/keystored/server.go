package keystored

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// keys are the keys that are trusted now.
type keys struct {
	dir *os.Root
	log *logclient.Log
	now atomic.Pointer[trust.Anchors]
}

// load reads the folder. After an error the keys from before stay trusted.
func (k *keys) load() error {
	anchors, skipped, err := load(k.dir)
	if err != nil {
		return fmt.Errorf("cannot read trusted keys: %w", err)
	}
	for _, s := range skipped {
		k.log.Warn("key skipped", "file", s.path, "error", s.cause)
	}
	if err := unusable(anchors, skipped); err != nil {
		return err
	}
	k.now.Store(&anchors)
	k.log.Info("keys loaded", "count", len(anchors.List()))
	return nil
}

// A verifier serves Verifier for one role.
type verifier struct {
	keys *keys
	role trust.Role
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
	return v.keys.now.Load().Verify(v.role, message, signature)
}

// A reader serves TrustAnchors.
type reader struct{ keys *keys }

// List returns all anchors.
func (r *reader) List(_ context.Context, call keystore.TrustAnchors_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	anchors := r.keys.now.Load().List()
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

// A reloader is TrustReload.
type reloader struct{ keys *keys }

// Reload has the folder count as it is now. One call is carried out at a time.
func (r *reloader) Reload(_ context.Context, call keystore.TrustReload_reload) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	err = r.keys.load()
	var none *UnusableError
	if errors.As(err, &none) {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadKey, "%v", none))
	}
	return err
}
