package initd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A trustEditor is the TrustEditor capability.
type trustEditor struct {
	keys     *keyring
	kept     bool // a change of the keys outlives the boot
	rootKept bool // and one of the root
	log      *logclient.Log
	by       logclient.Caller
}

func (o *operatorServer) Trust(_ context.Context, call operator.Operator_trust) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	host := o.s.config.machine == nil // the image of a machine says which keys its folder has at each start
	return res.SetTrust(operator.TrustEditor_ServerToClient(&trustEditor{
		keys: o.s.keys, kept: host, rootKept: host || o.s.config.State != "", log: o.s.log,
		by: o.caller(),
	}))
}

// Add trusts a key.
func (e *trustEditor) Add(ctx context.Context, call operator.TrustEditor_add) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetKept(e.kept)
	return e.edit(ctx, "trust", call.Args(), e.keys.add, res.NewRefusal)
}

// Remove stops trusting a key.
func (e *trustEditor) Remove(ctx context.Context, call operator.TrustEditor_remove) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetKept(e.kept)
	return e.edit(ctx, "distrust", call.Args(), e.keys.remove, res.NewRefusal)
}

// Update moves on to other roots. keystored decides, and writes the audit record.
func (e *trustEditor) Update(ctx context.Context, call operator.TrustEditor_update) error {
	call.Go()
	raw, err := call.Args().Roots()
	if err != nil {
		return err
	}
	pin, err := call.Args().Pin()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetKept(e.rootKept)
	version, stopped, err := e.keys.update(ctx, raw, pin, e.by)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetVersion(version)
	return vat.SetTexts(res.NewStopped, stopped)
}

// keyArgs are the parameters of both calls.
type keyArgs interface {
	Role() (string, error)
	PublicKey() ([]byte, error)
}

// edit changes a key for an operator, and writes the audit record.
func (e *trustEditor) edit(ctx context.Context, op string, args keyArgs,
	do func(context.Context, trust.Role, trust.PublicKey) error, newRefusal func() (keystore.Refusal, error)) error {
	role, key, err := roleAndKey(args)
	audit := logclient.Audit{Op: op, By: e.by}
	if err == nil {
		audit.Detail = fmt.Sprintf("role=%s key=%s", role, key)
		err = do(ctx, role, key)
	}
	e.log.Audit(audit.Outcome(err))
	return convert.Refuse(newRefusal, err)
}

func roleAndKey(args keyArgs) (role trust.Role, key trust.PublicKey, err error) {
	name, err := args.Role()
	if err != nil {
		return role, key, err
	}
	raw, err := args.PublicKey()
	if err != nil {
		return role, key, err
	}
	role = trust.Role(name)
	if role != trust.RoleSystem && role != trust.RoleApps {
		return role, key, refusal.New(refusal.BadKey, "%.32q is not a role: want system or apps", name)
	}
	if len(raw) != len(key) {
		return role, key, refusal.New(refusal.BadKey, "a key of %d bytes, not %d", len(raw), len(key))
	}
	key, err = trust.ParsePublicKey([]byte(trust.PublicKey(raw).Text())) // this refuses weak keys
	return role, key, err
}

// maxKeys bounds the keys of a role: if there are more, keystored trusts none.
const maxKeys = 256

// A keyring is the trusted keys of a running system: files that keystored reads.
type keyring struct {
	folder *folder
	dir    *os.File     // of the files
	reload *vat.Holding // keystored's TrustReload
	gate   *vat.Holding // updated's HealthGate

	mu sync.Mutex // held while they change
}

// add trusts a key. If it fails, nothing is changed.
func (k *keyring) add(ctx context.Context, role trust.Role, key trust.PublicKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.tell(ctx); refusal.Of(err) == refusal.HasRoot {
		return err
	}
	names, err := k.folder.keyFiles(role)
	if err != nil {
		return err
	}
	if slices.Contains(names, key.String()+keySuffix) {
		return k.tell(ctx)
	}
	if len(names) >= maxKeys {
		return refusal.New(refusal.TooManyKeys, "%d keys are trusted for the role %s already", len(names), role)
	}
	if err := k.folder.keepKey(role, key); err != nil {
		return err
	}
	if err := k.tell(ctx); err != nil {
		return k.undone(ctx, errors.Join(err, k.folder.dropKey(role, key)))
	}
	return nil
}

// remove stops trusting a key. If it fails, nothing is changed.
func (k *keyring) remove(ctx context.Context, role trust.Role, key trust.PublicKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.tell(ctx); refusal.Of(err) == refusal.HasRoot {
		return err
	}
	names, err := k.folder.keyFiles(role)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !slices.Contains(names, key.String()+keySuffix):
		return refusal.New(refusal.NotTrusted, "key %s is not trusted for the role %s", key, role)
	case role == trust.RoleSystem && len(names) == 1:
		return refusal.New(refusal.LastKey, "key %s is the only one for the role system: trust another one before", key)
	}
	if err := k.folder.dropKey(role, key); err != nil {
		return err
	}
	if err := k.tell(ctx); err != nil {
		return k.undone(ctx, errors.Join(err, k.folder.keepKey(role, key)))
	}
	return nil
}

// undone returns why a change failed, once the files are as they were. keystored may have read the changed ones, and
// reads these now, or when it starts again.
func (k *keyring) undone(ctx context.Context, err error) error {
	k.tell(context.WithoutCancel(ctx))
	return err
}

// update has keystored move on to other roots. keystored is told which sets the slots hold, and returns the versions of
// those that can no longer run.
func (k *keyring) update(
	ctx context.Context, raw, pin []byte, by logclient.Caller,
) (version uint64, stopped []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	err = k.gate.Call(ctx, func(client capnp.Client) error {
		answer, release := update.HealthGate(client).Installed(ctx, nil)
		defer release()
		slots, err := answer.Struct()
		if err != nil {
			return err
		}
		sets, err := slots.Sets()
		if err != nil {
			return err
		}
		version, stopped, err = k.goOn(ctx, raw, pin, sets, by)
		return err
	})
	return version, stopped, err
}

func (k *keyring) goOn(
	ctx context.Context, raw, pin []byte, sets keystore.Installed_List, by logclient.Caller,
) (version uint64, stopped []string, err error) {
	err = k.reload.Call(ctx, func(client capnp.Client) error {
		answer, release := keystore.TrustReload(client).Update(ctx, func(p keystore.TrustReload_update_Params) error {
			return errors.Join(p.SetRoots(raw), p.SetPin(pin), p.SetInstalled(sets), p.SetRole(by.Role),
				p.SetConnection(by.Connection), p.SetAttenuation(by.Attenuation))
		})
		defer release()
		res, err := convert.Outcome(answer.Struct())
		if err != nil {
			return err
		}
		version = res.Version()
		stopped, err = textsOf(res.Stopped())
		return err
	})
	return version, stopped, err
}

// reloadPatience bounds how long keystored may take: it may be starting.
const reloadPatience = 10 * time.Second

// tell gives the files' readers access, and has keystored read them again.
func (k *keyring) tell(ctx context.Context) error {
	if _, err := plat.Give(k.dir, claimOf(trustDir)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	return k.reload.Call(ctx, func(client capnp.Client) error {
		answer, release := keystore.TrustReload(client).Reload(ctx, nil)
		defer release()
		_, err := convert.Outcome(answer.Struct())
		return err
	})
}
