package kernel

import (
	"context"
	"path"
	"path/filepath"
)

// A pin is the package file that guests are tested with, as listed in Debian's signed lists when it was chosen. A
// digest in this source is as good as a signature on a list. It also gives everybody the same file, even while the
// lists of a mirror are inconsistent.
type pin struct {
	path   string // below the mirror
	sha256 string // in hex
}

// aptHelper fetches one file, with the host's proxy settings.
const aptHelper = "/usr/lib/apt/apt-helper"

// downloadPinned fetches the pinned package file and returns its path. It fails if the mirror no longer has the file,
// or has a different one.
func (a *apt) downloadPinned(ctx context.Context, p pin) (string, error) {
	file := filepath.Join(a.dir, "archives", path.Base(p.path))
	_, err := a.run(ctx, a.dir, aptHelper, "-o", "Acquire::Retries=3", "download-file", mirror+"/"+p.path, file,
		"SHA256:"+p.sha256)
	if err != nil {
		return "", err
	}
	return file, nil
}
