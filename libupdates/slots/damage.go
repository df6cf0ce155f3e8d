package slots

import (
	"errors"
	"io/fs"

	"nexus/libupdates/refusal"
)

// DamageOf tells whether an error of this package says that a slot no longer holds what was signed, and the reason to record for it:
// DigestMismatch, SizeMismatch or MissingEntry. A key that is no longer trusted is no damage, and neither is a disk that fails: that may pass.
func DamageOf(err error) (refusal.Reason, bool) {
	switch reason := refusal.Of(err); {
	case err == nil:
		return "", false
	case reason == refusal.DigestMismatch, reason == refusal.SizeMismatch, reason == refusal.MissingEntry:
		return reason, true
	case errors.Is(err, fs.ErrNotExist):
		return refusal.MissingEntry, true
	}
	return "", false
}
