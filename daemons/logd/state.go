package logd

import (
	"context"
	"errors"

	"nexus/capnpgen/keystore"
	"nexus/capnpgen/statefs"
	"nexus/daemons/convert"
	"nexus/libupdates/refusal"
)

// stateKeys are the keys of the journal in the state folder, over one connection.
type stateKeys struct{ client statefs.StateFs }

// errDamaged says that a segment is not what was written.
var errDamaged = errors.New("the segment is damaged")

// list returns all keys.
func (k stateKeys) list(ctx context.Context) (keys []string, err error) {
	for more := true; more; {
		var page []string
		if page, more, err = k.page(ctx, keys); err != nil {
			return nil, err
		}
		keys = append(keys, page...)
		more = more && len(page) > 0
	}
	return keys, nil
}

// page returns the keys that come after those that are known.
func (k stateKeys) page(ctx context.Context, known []string) (keys []string, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	answer, release := k.client.List(ctx, func(p statefs.StateReader_list_Params) error {
		if len(known) == 0 {
			return nil
		}
		return p.SetAfter(known[len(known)-1])
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return nil, false, err
	}
	list, err := res.Entries()
	if err != nil {
		return nil, false, err
	}
	for i := range list.Len() {
		key, err := list.At(i).Key()
		if err != nil {
			return nil, false, err
		}
		keys = append(keys, key)
	}
	return keys, res.More(), nil
}

// read returns what a segment holds; errDamaged where it is not what was written, or nothing that can be read.
func (k stateKeys) read(ctx context.Context, s segment) (content, error) {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	answer, release := k.client.Get(ctx, func(p statefs.StateReader_get_Params) error { return p.SetKey(s.key()) })
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if refusal.Of(err) == refusal.StateDamaged {
		return content{}, errDamaged
	}
	if err != nil {
		return content{}, err
	}
	raw, err := res.Value()
	if err != nil {
		return content{}, err
	}
	c, err := decodeSegment(raw)
	if err != nil {
		return content{}, errDamaged
	}
	return c, nil
}

// write makes a segment durable.
func (k stateKeys) write(ctx context.Context, s segment, c content) error {
	raw, err := encodeSegment(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	answer, release := k.client.Put(ctx, func(p statefs.StateFs_put_Params) error {
		return errors.Join(p.SetKey(s.key()), p.SetValue(raw))
	})
	defer release()
	res, err := answer.Struct()
	if err := outcome(res.Refusal, err); err != nil {
		return err
	}
	return k.sync(ctx)
}

// remove removes a segment; that there is none is fine.
func (k stateKeys) remove(ctx context.Context, s segment) error {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	answer, release := k.client.Delete(ctx, func(p statefs.StateFs_delete_Params) error { return p.SetKey(s.key()) })
	defer release()
	res, err := answer.Struct()
	if err = outcome(res.Refusal, err); refusal.Of(err) == refusal.NoSuchKey {
		return nil
	}
	return err
}

// sync makes durable what was written and removed.
func (k stateKeys) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	answer, release := k.client.Sync(ctx, nil)
	defer release()
	res, err := answer.Struct()
	return outcome(res.Refusal, err)
}

// outcome is that of a call whose only result is whether it was refused.
func outcome(refused func() (keystore.Refusal, error), err error) error {
	if err != nil {
		return err
	}
	return convert.Refused(refused())
}
