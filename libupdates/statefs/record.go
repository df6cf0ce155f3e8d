package statefs

import (
	"errors"
	"slices"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// Keys is what a Record needs of a prefix, local or behind a capability.
type Keys interface {
	Get(key string) ([]byte, error)
	Put(key string, value []byte) error
	Sync() error
}

// A Record stores the two copies of the boot record under two keys, as the halves of a durable.Cell.
type Record struct{ Keys Keys }

// recordKeys are the keys of the two copies.
func recordKeys() [2]string { return [2]string{"record.0", "record.1"} }

// Load returns a copy.
func (r *Record) Load(half int) ([]byte, error) {
	raw, err := r.Keys.Get(recordKeys()[half])
	var refused *refusal.Error
	switch {
	case err == nil:
		return raw, nil
	case !errors.As(err, &refused):
		return nil, err
	case refused.Reason == refusal.NoSuchKey:
		return nil, nil
	case refused.Reason == refusal.StateDamaged:
		return nil, durable.ErrDamaged
	}
	return nil, err
}

// Store replaces a copy. On a full disk it pads the copy to the largest size of one, because only a value that is not
// shorter than the old one can be put there.
func (r *Record) Store(half int, raw []byte) error {
	err := r.Keys.Put(recordKeys()[half], raw)
	if refusal.Of(err) == refusal.NoSpace && len(raw) < durable.MaxCopy {
		err = r.Keys.Put(recordKeys()[half], append(slices.Clone(raw), make([]byte, durable.MaxCopy-len(raw))...))
	}
	return err
}

// Sync makes all stores durable.
func (r *Record) Sync() error { return r.Keys.Sync() }
