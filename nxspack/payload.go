package nxspack

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// A payloadSource is an open payload, with the file's state when it was opened.
type payloadSource struct {
	name string // for messages
	file *os.File
	was  os.FileInfo
}

// openPayload opens the payload in a bundle's folder. It must be a regular file, not a link, of at most limit bytes.
// Refused as BadEntryType or PayloadTooLarge.
func openPayload(folder, bundle string, limit int64) (*payloadSource, error) {
	// never follow a link or wait at a FIFO, even if the file was replaced meanwhile
	const never = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(filepath.Join(folder, nxb.PayloadFile), os.O_RDONLY|never, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = refusal.New(refusal.BadEntryType, "%s is not a regular file", nxb.PayloadFile)
	case info.Size() > limit:
		err = tooLarge(limit)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &payloadSource{bundle + "/" + nxb.PayloadFile, f, info}, nil
}

func (s *payloadSource) size() int64 { return s.was.Size() }

// read reads len(p) bytes at off. If the file has become shorter, that is a SizeMismatch.
func (s *payloadSource) read(p []byte, off int64) error {
	_, err := s.file.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		return s.otherSize()
	}
	return err
}

// unchanged checks that size and time of the file are still as they were when it was opened. A change within the
// resolution of the file system's clock, which is milliseconds, is found by the digest in the manifest.
func (s *payloadSource) unchanged() error {
	is, err := s.file.Stat()
	switch {
	case err != nil:
		return err
	case is.Size() != s.was.Size():
		return s.otherSize()
	case !is.ModTime().Equal(s.was.ModTime()):
		return refusal.New(refusal.DigestMismatch, "digest mismatch in %s: it changed while it was packed", s.name)
	}
	return nil
}

func (s *payloadSource) otherSize() error {
	return refusal.New(refusal.SizeMismatch, "%s no longer has its %d bytes: it changed while it was packed",
		s.name, s.size())
}

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
