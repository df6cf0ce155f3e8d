//go:build !linux

package durable

import "os"

// allocate reserves nothing, because only Linux has fallocate.
func allocate(*os.File, int64) error { return nil }
