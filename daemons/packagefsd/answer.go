package packagefsd

import (
	"context"
	"errors"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

func (v *view) stat(ctx context.Context, path string) (found info, err error) {
	at, err := parse(path)
	if err != nil {
		return info{}, err
	}
	if at.bundle == "" {
		return info{kind: packagefs.FileType_directory}, nil
	}
	err = v.ask(ctx, func(ctx context.Context, m bundle.BundleMgr) error {
		files, err := v.find(ctx, m, path, at.bundle, nothing)
		if err != nil {
			return err
		}
		found = at.of(files)
		return nil
	})
	return found, err
}

// of returns the entry for the place, given the files of its bundle.
func (at place) of(files []info) info {
	for _, f := range files {
		if f.name == at.file {
			return f
		}
	}
	return info{name: at.bundle, kind: packagefs.FileType_directory}
}

func (v *view) list(ctx context.Context, path string) (entries []info, err error) {
	at, err := parse(path)
	if err != nil {
		return nil, err
	}
	err = v.ask(ctx, func(ctx context.Context, m bundle.BundleMgr) (err error) {
		if at.bundle == "" {
			entries, err = v.root(ctx, m)
			return err
		}
		if entries, err = v.find(ctx, m, path, at.bundle, nothing); err == nil && at.file != "" {
			return refusal.New(refusal.NotADirectory, "%q is a file", path)
		}
		return err
	})
	return entries, err
}

// A piece is what one call reads of a file. Its bytes go into the room, which is asked for at most twice: for the bytes
// that were read ahead, and for others in their place.
type piece struct {
	offset uint64
	count  uint32
	room   func(size int) ([]byte, error)
}

func (v *view) read(ctx context.Context, path string, piece piece) error {
	at, err := parse(path)
	if err != nil {
		return err
	}
	if at.bundle == "" {
		return isADirectory(path)
	}
	first := true
	return v.ask(ctx, func(ctx context.Context, m bundle.BundleMgr) error {
		var ahead []byte
		var digest nxs.Digest
		files, err := v.find(ctx, m, path, at.bundle, func() {
			if first && at.file == nxb.PayloadFile {
				ahead, digest = v.payload.ahead(piece)
			}
			first = false
		})
		if err == nil && ahead != nil && digest == at.of(files).digest {
			return nil
		}
		clear(ahead) // it stays in the message, and the client may not read it
		if err != nil {
			return err
		}
		return v.readNow(ctx, m, at, at.of(files).digest, piece)
	})
}

// readNow reads a piece of the file at a place, which is published. If it is the payload, that is its digest.
func (v *view) readNow(ctx context.Context, m bundle.BundleMgr, at place, digest nxs.Digest, piece piece) error {
	if at.file == "" {
		return isADirectory(at.bundle)
	}
	if at.file == nxb.PayloadFile {
		if there, err := v.payload.read(ctx, v.bundles, m, at.bundle, digest, piece); there || err != nil {
			return err
		}
	}
	return piece.copy(ctx, m, at)
}

// copy reads the piece by calls to bundlemgrd.
func (p piece) copy(ctx context.Context, m bundle.BundleMgr, at place) error {
	blob, release, err := open(ctx, m, at)
	if err != nil {
		return err
	}
	defer release()
	if !blob.IsValid() {
		return errors.New("cannot read: bundlemgrd returned no blob")
	}
	answer, releasePiece := blob.Read(ctx, func(params bundle.Blob_read_Params) error {
		params.SetOffset(p.offset)
		params.SetCount(p.count)
		return nil
	})
	defer releasePiece()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	bytes, err := res.Bytes()
	if err != nil {
		return err
	}
	room, err := p.room(len(bytes))
	copy(room, bytes)
	return err
}

func isADirectory(path string) error {
	return refusal.New(refusal.IsADirectory, "%q is a directory", path)
}
