package updated

import (
	"context"
	"errors"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/statefs"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
)

// stateKeys is the prefix of the state that this daemon was granted. Each call waits for a restarting statefsd as long
// as for any other daemon, and may reach it twice: that has no further effect.
type stateKeys struct{ holding *vat.Holding }

func (k *stateKeys) call(ask func(context.Context, statefs.StateFs) error) error {
	ctx, cancel := bounded(context.Background())
	defer cancel()
	return k.holding.Call(ctx, func(client capnp.Client) error { return ask(ctx, statefs.StateFs(client)) })
}

// Get returns the value under a key.
func (k *stateKeys) Get(key string) (value []byte, err error) {
	err = k.call(func(ctx context.Context, client statefs.StateFs) error {
		answer, release := client.Get(ctx, func(p statefs.StateReader_get_Params) error { return p.SetKey(key) })
		defer release()
		res, err := convert.Outcome(answer.Struct())
		if err != nil {
			return err
		}
		got, err := res.Value()
		value = append([]byte{}, got...)
		return err
	})
	return value, err
}

// Put replaces the value under a key.
func (k *stateKeys) Put(key string, value []byte) error {
	return k.call(func(ctx context.Context, client statefs.StateFs) error {
		answer, release := client.Put(ctx, func(p statefs.StateFs_put_Params) error {
			return errors.Join(p.SetKey(key), p.SetValue(value))
		})
		defer release()
		res, err := answer.Struct()
		return outcome(res.Refusal, err)
	})
}

// Sync makes durable what was put.
func (k *stateKeys) Sync() error {
	return k.call(func(ctx context.Context, client statefs.StateFs) error {
		answer, release := client.Sync(ctx, nil)
		defer release()
		res, err := answer.Struct()
		return outcome(res.Refusal, err)
	})
}

// outcome is that of a call whose only result is whether it was refused.
func outcome(refused func() (keystore.Refusal, error), err error) error {
	if err != nil {
		return err
	}
	return convert.Refused(refused())
}
