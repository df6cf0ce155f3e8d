package kernel

import (
	"context"
	"path"
	"path/filepath"
)

// A pin is a package file that guests are tested with: what the signed lists of Debian said when it was chosen. A
// digest in this source says as much as a signature on a list, and everybody gets the same, also while a mirror's lists
// do not fit each other.
type pin struct {
	path   string // below the mirror
	sha256 string // in hex
}

// aptHelper is how apt fetches one file, with the host's proxies.
const aptHelper = "/usr/lib/apt/apt-helper"

// downloadPinned fetches the package file of the pin and returns its path. It fails when the mirror has it no more, or
// another one.
func (a *apt) downloadPinned(ctx context.Context, p pin) (string, error) {
	file := filepath.Join(a.dir, "archives", path.Base(p.path))
	_, err := a.run(ctx, a.dir, aptHelper, "-o", "Acquire::Retries=3", "download-file", mirror+"/"+p.path, file,
		"SHA256:"+p.sha256)
	if err != nil {
		return "", err
	}
	return file, nil
}
