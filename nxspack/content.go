package nxspack

import (
	"crypto/sha256"
	"io"
	"os"

	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// A content is a payload on disk, with its digest. Its size does not matter: it is never loaded into memory as a whole.
type content struct {
	message trust.Message
	digest  nxs.Digest
	close   func() error
}

// takeContent copies a payload of at most limit bytes to a new file and hashes the copy.
func takeContent(name string, payload fromInput, limit int64) (content, error) {
	hash := sha256.New()
	if err := writeFile(name, io.TeeReader(io.LimitReader(payload, limit+1), hash)); err != nil {
		return content{}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return content{}, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > limit {
		err = ofInput(payload.name, tooLarge(limit))
	}
	if err != nil {
		f.Close()
		return content{}, err
	}
	return content{io.NewSectionReader(f, 0, info.Size()), nxs.Digest(hash.Sum(nil)), f.Close}, nil
}
