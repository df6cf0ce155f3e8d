package nxspack

import (
	"bytes"
	"io"
	"os"

	"nexus/libupdates/nxs"
)

// Endless runs the packer that a test of signals asks for, if this process is one; see TestMain.
func Endless() {
	if target := os.Getenv(endlessEnv); target != "" {
		os.Exit(endless(target))
	}
}

// contentOf is a payload in memory.
func contentOf(payload []byte) content {
	message := io.NewSectionReader(bytes.NewReader(payload), 0, int64(len(payload)))
	return content{message, nxs.Sum(payload), func() error { return nil }}
}

// anyDevice takes whatever a device may take.
func anyDevice() device { return device{limits: formatLimits()} }
