package packagefsd

import (
	"bytes"
	"context"
	"errors"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/libupdates/nxb"
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
		files, err := v.find(ctx, m, path, at.bundle)
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
		if entries, err = v.find(ctx, m, path, at.bundle); err == nil && at.file != "" {
			return refusal.New(refusal.NotADirectory, "%q is a file", path)
		}
		return err
	})
	return entries, err
}

func (v *view) read(ctx context.Context, path string, offset uint64, count uint32) (piece []byte, err error) {
	at, err := parse(path)
	if err != nil {
		return nil, err
	}
	if at.bundle == "" {
		return nil, isADirectory(path)
	}
	err = v.ask(ctx, func(ctx context.Context, m bundle.BundleMgr) (err error) {
		files, err := v.find(ctx, m, path, at.bundle)
		if err != nil {
			return err
		}
		if at.file == "" {
			return isADirectory(path)
		}
		there := false
		if at.file == nxb.PayloadFile {
			digest := at.of(files).digest
			piece, there, err = v.payload.read(ctx, v.bundles, m, at.bundle, digest, offset, count)
		}
		if !there && err == nil {
			piece, err = readPiece(ctx, m, at, offset, count)
		}
		return err
	})
	return piece, err
}

func readPiece(ctx context.Context, m bundle.BundleMgr, at place, offset uint64, count uint32) ([]byte, error) {
	blob, release, err := open(ctx, m, at)
	if err != nil {
		return nil, err
	}
	defer release()
	if !blob.IsValid() {
		return nil, errors.New("cannot read: bundlemgrd returned no blob")
	}
	answer, releasePiece := blob.Read(ctx, func(p bundle.Blob_read_Params) error {
		p.SetOffset(offset)
		p.SetCount(count)
		return nil
	})
	defer releasePiece()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	piece, err := res.Bytes()
	if err != nil {
		return nil, err
	}
	return bytes.Clone(piece), nil // the message is freed by its release
}

func isADirectory(path string) error {
	return refusal.New(refusal.IsADirectory, "%q is a directory", path)
}
