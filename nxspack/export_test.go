package nxspack

import (
	"bytes"
	"io"
	"os"

	"nexus/libupdates/nxs"
)

// Endless runs the packer for tests of signals, if this process is one of theirs; see TestMain.
func Endless() {
	if target := os.Getenv(endlessEnv); target != "" {
		os.Exit(endless(target))
	}
}

// contentOf returns a payload in memory.
func contentOf(payload []byte) content {
	message := io.NewSectionReader(bytes.NewReader(payload), 0, int64(len(payload)))
	return content{message, nxs.Sum(payload), func() error { return nil }}
}

// anyDevice accepts everything that any device may accept.
func anyDevice() device { return device{limits: formatLimits()} }
