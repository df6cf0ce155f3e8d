//go:build !linux

package nxspack

import (
	"errors"
	"os"
)

// openDirect fails: only Linux has the flag for it.
func openDirect(string) (*os.File, error) { return nil, errors.ErrUnsupported }
