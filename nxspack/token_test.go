package nxspack_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// SoftHSM's module, where Debian has it, and the tools that a test with a token needs.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// hasToken reports whether there is a token on this machine, and what it takes to sign with it. CI has to have one.
func hasToken() (bool, error) {
	var missing []error
	for _, tool := range []string{"softhsm2-util", "pkcs11-tool", "cc", softHSM} {
		if _, err := os.Stat(tool); err == nil {
			continue
		}
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, err)
		}
	}
	if len(missing) > 0 && os.Getenv("CI") != "" {
		return false, errors.Join(missing...)
	}
	return len(missing) == 0, nil
}

// token gives a script a folder for tokens of its own, and the program that signs with them: `token`.
func token(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir := ts.MkAbs("bin")
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", "./nxs-sign-pkcs11")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		ts.Fatalf("cannot build nxs-sign-pkcs11: %v\n%s", err, out)
	}
	tokens := ts.MkAbs("tokens")
	ts.Check(os.Mkdir(tokens, 0o700))
	config := ts.MkAbs("softhsm2.conf")
	ts.Check(os.WriteFile(config, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\n"), 0o600))
	ts.Setenv("SOFTHSM2_CONF", config)
	ts.Setenv("MODULE", softHSM)
	ts.Setenv("PATH_WITHOUT_SIGNER", ts.Getenv("PATH"))
	ts.Setenv("PATH", ts.Getenv("PATH")+string(filepath.ListSeparator)+dir)
}
