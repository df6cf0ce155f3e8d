package keystored

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"nexus/capnpgen/keystore"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// keys are what is trusted now.
type keys struct {
	dir   *os.Root
	store store
	log   *logclient.Log
	clock func() roots.Clock

	changing sync.Mutex // held while it changes
	now      atomic.Pointer[trusted]
	last     atomic.Pointer[checked] // the last message that somebody trusted signed
}

// trusted is a folder of keys, and the root that has taken its place, if there is one. An immutable value.
type trusted struct {
	folder trust.Anchors
	root   *roots.State
}

// anchors are the keys that count for what is new.
func (t *trusted) anchors() trust.Anchors {
	if t.root != nil {
		return t.root.Root.Anchors()
	}
	return t.folder
}

// start reads the root and the folder.
func (k *keys) start() error {
	root, mend, err := k.store.load()
	if err != nil {
		return fmt.Errorf("cannot read the root: %w", err)
	}
	k.now.Store(&trusted{root: root})
	if mend != nil {
		k.log.Warn("root stored again", "error", mend)
		if err := k.store.keep(*root); err != nil {
			return err
		}
	}
	return k.load()
}

// load reads the folder. After an error the keys from before stay trusted.
func (k *keys) load() error {
	k.changing.Lock()
	defer k.changing.Unlock()
	folder, skipped, err := load(k.dir)
	if err != nil {
		return fmt.Errorf("cannot read trusted keys: %w", err)
	}
	for _, s := range skipped {
		k.log.Warn("key skipped", "file", s.path, "error", s.cause)
	}
	root := k.now.Load().root
	if err := unusable(folder, skipped); err != nil && root == nil {
		return err
	}
	k.now.Store(&trusted{folder, root})
	k.log.Info("keys loaded", "count", len(k.now.Load().anchors().List()))
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
	now := v.keys.now.Load()
	verdict, err := now.verify(v.role, message, signature)
	if err == nil {
		v.keys.note(now, message, signature, verdict)
	}
	return verdict.Publisher, err
}

// A reader serves TrustAnchors.
type reader struct{ keys *keys }

// List returns all anchors.
func (r *reader) List(_ context.Context, call keystore.TrustAnchors_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	anchors := r.keys.now.Load().anchors().List()
	list, err := res.NewAnchors(int32(len(anchors)))
	if err != nil {
		return err
	}
	for i, anchor := range anchors {
		if err := errors.Join(list.At(i).SetRole(string(anchor.Role)),
			list.At(i).SetPublicKey(anchor.Key[:])); err != nil {
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
	if root := r.keys.now.Load().root; root != nil {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.HasRoot,
			"root %d says who is trusted: its successor changes that", root.Root.Version))
	}
	err = r.keys.load()
	var none *UnusableError
	if errors.As(err, &none) {
		return convert.Refuse(res.NewRefusal, refusal.New(refusal.BadKey, "%v", none))
	}
	return err
}
