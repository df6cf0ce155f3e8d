//go:build !linux

package durable

import (
	"errors"
	"os"
)

// setDirect fails: only Linux has the flag for it.
func setDirect(*os.File, bool) error { return errors.ErrUnsupported }
