package nxspack

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"nexus/libupdates/refusal"
)

// A payloadSource is a payload that was opened, and what was known of it then.
type payloadSource struct {
	name string // as messages have it
	file *os.File
	was  os.FileInfo
}

// openPayload opens the payload of a bundle's folder. It is a regular file of at most limit bytes and no link, or it is
// refused as BadEntryType or PayloadTooLarge.
func openPayload(folder, bundle string, limit int64) (*payloadSource, error) {
	// a link, or a FIFO that makes us wait, whatever came to be there
	const never = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(filepath.Join(folder, payloadFile), os.O_RDONLY|never, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = refusal.New(refusal.BadEntryType, "%s is no regular file", payloadFile)
	case info.Size() > limit:
		err = refusal.New(refusal.PayloadTooLarge, "payload is over the limit of %d bytes", limit)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &payloadSource{bundle + "/" + payloadFile, f, info}, nil
}

func (s *payloadSource) size() int64 { return s.was.Size() }

// read fills p with the bytes at off. That the file has shrunk is a SizeMismatch.
func (s *payloadSource) read(p []byte, off int64) error {
	_, err := s.file.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		return s.otherSize()
	}
	return err
}

// unchanged wants the file to be as it was when it was opened, by its size and time. A writer that hides behind the
// file system's clock, which ticks every few milliseconds, is found by the digest in the manifest.
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
	return refusal.New(refusal.SizeMismatch, "%s has not the %d bytes it had before: it changed while it was packed",
		s.name, s.size())
}
