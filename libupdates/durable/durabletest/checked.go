package durabletest

import (
	"crypto/sha256"
	"fmt"
)

// Checked remembers the disks on which a promise was seen to hold. Most power cuts leave what another one left as
// well, which a sweep then checks once. It is for one promise that nothing but the disk, and done, decides.
type Checked map[look]bool

type look struct {
	content [sha256.Size]byte
	done    bool
}

// EveryOutcome checks a promise on every disk that a power cut may leave. Done is whether the change that was cut had
// been reported complete, of which more is promised.
func (c Checked) EveryOutcome(d *Disk, done bool, holds func(*Disk) error) error {
	for _, outcome := range Outcomes() {
		left := d.Reboot(outcome)
		seen := look{left.Sum(), done}
		if c[seen] {
			continue
		}
		if err := holds(left); err != nil {
			return fmt.Errorf("%s: %w", outcome.Name, err)
		}
		c[seen] = true
	}
	return nil
}
