package packagefsd

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
)

// A server is one client's PackageFs.
type server struct {
	view *view
}

// Stat describes the file or directory at a path.
func (s *server) Stat(ctx context.Context, call packagefs.PackageFs_stat) error {
	path, err := call.Args().Path()
	if err != nil {
		return err
	}
	call.Go()
	found, err := s.view.stat(ctx, path)
	if err != nil {
		return convert.Except(err)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	m, err := res.NewInfo()
	if err != nil {
		return err
	}
	return found.encode(m)
}

// List returns the entries of a directory.
func (s *server) List(ctx context.Context, call packagefs.PackageFs_list) error {
	path, err := call.Args().Path()
	if err != nil {
		return err
	}
	call.Go()
	entries, err := s.view.list(ctx, path)
	if err != nil {
		return convert.Except(err)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewEntries(int32(len(entries)))
	if err != nil {
		return err
	}
	for i, entry := range entries {
		if err := entry.encode(list.At(i)); err != nil {
			return err
		}
	}
	return nil
}

// Read returns a piece of a file.
func (s *server) Read(ctx context.Context, call packagefs.PackageFs_read) error {
	path, err := call.Args().Path()
	if err != nil {
		return err
	}
	offset, count := call.Args().Offset(), min(call.Args().Count(), bundle.MaxReadBytes)
	call.Go()
	var res packagefs.PackageFs_read_Results
	room := func(size int) (_ []byte, err error) {
		if !res.IsValid() {
			res, err = call.AllocResults()
		}
		if err != nil {
			return nil, err
		}
		return blob.Room(capnp.Struct(res), size)
	}
	return convert.Except(s.view.read(ctx, path, piece{offset, count, room}))
}

// Shutdown runs when the client has released its PackageFs or has gone, and its calls have returned.
func (s *server) Shutdown() { s.view.payload.close() }

func (i info) encode(m packagefs.FileInfo) error {
	m.SetType(i.kind)
	m.SetSizeBytes(i.size)
	return m.SetName(i.name)
}
