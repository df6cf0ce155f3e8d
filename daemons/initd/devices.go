package initd

import (
	"io/fs"
	"os"
	"sync"

	"nexus/daemons/plat"
	"nexus/libupdates/policy"
)

// A lender opens devices for bundles, and remembers which it opened. The zero value has opened none.
type lender struct {
	mu   sync.Mutex
	lent map[use]loan
}

// A use is one device of one bundle, by the policy's name for it.
type use struct{ bundle, device string }

// A loan is what the programs of a bundle have as one device. The zero value stands for several: a service may also run
// on demand.
type loan struct {
	policy.Device
	file fs.FileInfo // of what was opened
}

// open opens what the policy calls a device.
func (l *lender) open(of use, is policy.Device) (*os.File, error) {
	device, err := plat.OpenDevice(is.Path, is.Write)
	if err != nil {
		return nil, err
	}
	info, err := device.Stat()
	if err != nil {
		device.Close()
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lent == nil {
		l.lent = map[use]loan{}
	}
	now := loan{is, info}
	if before, already := l.lent[of]; already && !before.same(now) {
		now = loan{}
	}
	l.lent[of] = now
	return device, nil
}

// holds reports whether every program of the bundle has the device that open would open now. Where one may not, the
// service is started again, and what was opened before that no longer matters.
func (l *lender) holds(of use, is policy.Device) bool {
	info, err := os.Stat(is.Path)
	l.mu.Lock()
	defer l.mu.Unlock()
	same := err == nil && l.lent[of].same(loan{is, info})
	if !same {
		delete(l.lent, of)
	}
	return same
}

// same reports whether both are the same device, with the same access. One that was unplugged is another afterwards.
func (l loan) same(other loan) bool {
	return l.Device == other.Device && os.SameFile(l.file, other.file)
}
