package nxspack

import "os"

// Endless runs the packer that a test of signals asks for, if this process is one; see TestMain.
func Endless() {
	if target := os.Getenv(endlessEnv); target != "" {
		os.Exit(endless(target))
	}
}
