package nxspack_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"nexus/libupdates/nxs"
	"nexus/libupdates/updatestest"
	"nexus/nxspack"
)

func TestMain(m *testing.M) {
	nxspack.Endless()
	testscript.Main(m, map[string]func(){
		"nxs-pack": func() { os.Exit(nxspack.RunSetPacker(nxspack.UntilSignal(), os.Args[1:], os.Stdout, os.Stderr)) },
		"nxb-pack": func() {
			os.Exit(nxspack.RunBundlePacker(nxspack.UntilSignal(), os.Args[1:], os.Stdout,
				os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Condition:           condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"zeros":  zeros,
			"damage": damage,
			"digest": digest,
			"token":  token,
		},
	})
}

func condition(name string) (bool, error) {
	switch name {
	case "named":
		return named()
	case "token":
		return hasToken()
	default:
		return false, fmt.Errorf("there is no condition %q", name)
	}
}

// named reports whether OpenSSH's programs run as this user. CI has to be such a user.
func named() (bool, error) {
	err := updatestest.Nameless()
	if err != nil && os.Getenv("CI") != "" {
		return false, err
	}
	return err == nil, nil
}

// zeros makes a file of that many zero bytes: `zeros N FILE`.
func zeros(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: zeros N FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), make([]byte, n), 0o600))
}

// damage changes a byte of a file: `damage FILE OFFSET`. A negative offset counts from the end.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: damage FILE OFFSET")
	}
	name := ts.MkAbs(args[0])
	raw, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(raw)
	}
	if at < 0 || at >= len(raw) {
		ts.Fatalf("%s has no byte %s", args[0], args[1])
	}
	raw[at] ^= 1
	ts.Check(os.WriteFile(name, raw, 0o600))
}

// digest compares a file with the SHA-256 in another file: `digest FILE SUM`.
func digest(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: digest FILE SUM")
	}
	got := nxs.Sum([]byte(ts.ReadFile(args[0]))).String()
	if want := strings.TrimSpace(ts.ReadFile(args[1])); got != want {
		ts.Fatalf("%s has the digest %s, not %s", args[0], got, want)
	}
}
