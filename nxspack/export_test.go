package nxspack

import (
	"bytes"
	"context"
	"io"
	"os"

	"nexus/libupdates/nxs"
	"nexus/oci"
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

// RunPaced runs nxs-pack with a client of registries that waits as told.
func RunPaced(pace oci.Pace, args []string, stdout, stderr io.Writer) int {
	c := setPacker(stdout, stderr)
	c.pace = pace
	return c.run(context.Background(), &setGrammar{}, args)
}
