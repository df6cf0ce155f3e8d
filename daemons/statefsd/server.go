package statefsd

import (
	"context"

	"nexus/capnpgen/statefs"
	"nexus/daemons/convert"
	store "nexus/libupdates/statefs"
)

// A server serves StateFs for one prefix.
type server struct {
	keys   *store.Prefix
	report func() // logs what was found in the folder since the last call
}

// Get returns the value of a key.
func (s *server) Get(_ context.Context, call statefs.StateReader_get) error {
	call.Go()
	key, err := call.Args().Key()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	value, err := s.keys.Get(key)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetValue(value)
}

// List returns one page of keys.
func (s *server) List(_ context.Context, call statefs.StateReader_list) error {
	call.Go()
	start, err := call.Args().Prefix()
	if err != nil {
		return err
	}
	after, err := call.Args().After()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	page := min(call.Args().Limit(), statefs.MaxPageEntries)
	entries, more, err := s.keys.List(start, after, int(page))
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	res.SetMore(more)
	list, err := res.NewEntries(int32(len(entries)))
	if err != nil {
		return err
	}
	for i, entry := range entries {
		list.At(i).SetSizeBytes(uint64(entry.Size))
		if err := list.At(i).SetKey(entry.Key); err != nil {
			return err
		}
	}
	return nil
}

// Put replaces a value.
func (s *server) Put(_ context.Context, call statefs.StateFs_put) error {
	call.Go()
	key, err := call.Args().Key()
	if err != nil {
		return err
	}
	value, err := call.Args().Value()
	if err != nil {
		return err
	}
	err = s.keys.Put(key, value)
	s.report()
	return convert.Answer(call.AllocResults, err)
}

// Delete removes a key.
func (s *server) Delete(_ context.Context, call statefs.StateFs_delete) error {
	call.Go()
	key, err := call.Args().Key()
	if err != nil {
		return err
	}
	return convert.Answer(call.AllocResults, s.keys.Delete(key))
}

// Sync makes all changes durable.
func (s *server) Sync(_ context.Context, call statefs.StateFs_sync) error {
	call.Go()
	return convert.Answer(call.AllocResults, s.keys.Sync())
}
