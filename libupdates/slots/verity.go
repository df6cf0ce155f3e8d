package slots

import (
	"errors"
	"io/fs"

	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Where the file system has fs-verity, the kernel verifies every read of a payload. A stage enables that before the set
// gets its name, so that a boot attempt only asks the kernel for the digest of each payload. What the file system says
// is never enough: a payload is read unless the kernel verifies it against the digest in the signed index.

// errNoDigest is why the kernel cannot verify the payloads of sets that were made before there were fs-verity digests.
var errNoDigest = errors.New("the index has no fs-verity digest")

// measure returns why the kernel does not verify every read of a payload (unkept), or nil if it does. Refused as
// Damaged if it verifies the payload against another digest than the signed one.
func measure(entry nxs.Entry, name string, f durable.ReadFile) (unkept, err error) {
	if entry.PayloadVerity.IsZero() {
		return errNoDigest, nil
	}
	sum, err := f.Verity()
	switch {
	case errors.Is(err, durable.ErrNoVerity), errors.Is(err, durable.ErrPlain):
		return err, nil
	case err == nil && sum != entry.PayloadVerity:
		err = refusal.New(refusal.Damaged, "the kernel verifies %s against another digest", name)
	}
	return nil, err
}

// protect has the kernel verify a payload from now on, where the file system can. Its bytes are durable. Refused as
// Damaged if the file turns out to be another one, or if the file system only says that it has enabled fs-verity.
func protect(fsys durable.FS, path string, entry nxs.Entry) error {
	if entry.PayloadVerity.IsZero() {
		return nil
	}
	err := fsys.EnableVerity(path)
	switch {
	case errors.Is(err, durable.ErrNoVerity), errors.Is(err, fs.ErrPermission): // as in sets of older versions
		return nil
	case err != nil:
		return err
	}
	f, err := fsys.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	unkept, err := measure(entry, path, f)
	if err == nil && unkept != nil {
		err = refusal.New(refusal.Damaged, "the file system does not keep the fs-verity of %s", path)
	}
	return err
}

// protectLate is protect for payloads of a set on disk that have just been read. One that cannot be protected is read
// again at the next attempt.
func protectLate(fsys durable.FS, set stored, plain []nxs.Entry) error {
	for _, entry := range plain {
		name := payloadPath(set.dir(), entry.Name)
		if protect(fsys, name, entry) == nil {
			continue
		}
		f, err := set.openPayload(entry)
		if err != nil {
			return err
		}
		_, err = measure(entry, name, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// unkept returns why the kernel does not verify all payloads of a set at every read; empty if it does.
func (s stored) unkept(index nxs.Index) string {
	for _, entry := range index.Bundles {
		f, err := s.openPayload(entry)
		if err != nil {
			continue // the check before it runs finds that
		}
		unkept, err := measure(entry, payloadPath("", entry.Name), f)
		f.Close()
		if err := errors.Join(unkept, err); err != nil {
			return err.Error()
		}
	}
	return ""
}

// damagedBy turns a failed read of a payload that the kernel verifies into the refusal Damaged: its bytes are not there
// or not what was signed.
func damagedBy(name string, read func(p []byte, off int64) error) func(p []byte, off int64) error {
	return func(p []byte, off int64) error {
		err := read(p, off)
		if err != nil && refusal.Of(err) == refusal.IO {
			return refusal.New(refusal.Damaged, "the kernel refuses to read %s: %v", name, err)
		}
		return err
	}
}
