package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/vat"
	"nexus/libupdates/nxb"
	"nexus/libupdates/updatestest"
	"nexus/nx/cli"
)

func (o *peerOperator) Apps(_ context.Context, call operator.Operator_apps) error {
	return vat.Give(call.AllocResults, operator.Operator_apps_Results.SetInstaller,
		update.AppInstaller_ServerToClient(peerApps{o.p}))
}

// peerApps are the apps of the peer: each package that is opened is in the state of the peer, and none is listed.
type peerApps struct{ p *peer }

func (peerApps) List(_ context.Context, call update.AppList_list) error {
	_, err := call.AllocResults()
	return err
}

func (a peerApps) Open(_ context.Context, call update.AppInstaller_open) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetApp(update.AppUpdate_ServerToClient(&peerUpdated{a.p}))
}

func (peerApps) Uninstall(context.Context, update.AppInstaller_uninstall) error { return nil }

func (peerApps) Attenuate(context.Context, update.AppInstaller_attenuate) error { return nil }

// On a terminal the bar of an install is gone in the end, as that of a stage is.
func TestInstallOnATerminal(t *testing.T) {
	p := startPeer(t)
	p.set(func(p *peer) { p.onSwitch, p.tacit = commit, true })
	key := updatestest.Key(1)
	file := filepath.Join(t.TempDir(), "set.nxs")
	raw := updatestest.Archive(t, key, "1.2.0",
		updatestest.Bundle("hello", "1.2.0", []string{nxb.AbilityService}, make([]byte, 3<<20), key))
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr lockedBuffer
	status := cli.Run(t.Context(), []string{"--dir", p.dir, "install", file}, cli.Host{
		Stdout: &stdout, Stderr: &stderr, Terminal: true, Getenv: func(string) string { return "" },
	})
	drawn := stderr.String()
	at := strings.LastIndex(drawn, "hello 1.2.0 is on trial\n")
	if status != 0 || at < 1 {
		t.Fatalf("status %d, %q, %q", status, stdout.String(), drawn)
	}
	line := drawn[strings.LastIndex(drawn[:at-1], "\r"):at]
	if !strings.Contains(drawn, "set.nxs") || strings.Trim(line, "\r \x1b[2K") != "" {
		t.Errorf("what is on the line before what follows: %q of %q", line, drawn)
	}
}

func TestRollbackOfAnApp(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) { s.sets[bootrecord.Slot_b] = peerSet{version: "0.9.0", digest: 0x99, good: true} })
	p.nx("rollback", "--app", "hello").want(t, 0, "rolled back hello: 0.9.0 in slot b, healthy\n", "")
	got := p.nx("--json", "rollback", "--app", "hello")
	if !strings.HasPrefix(got.stdout, `{"package":"hello","version":"0.9.0","apps":[],"activeSlot":"b"`) {
		t.Errorf("%+v", got)
	}
	p.refuses("rollback", "trial-in-progress", "slot b of the system is on trial")
	p.nx("rollback", "--app", "hello").want(t, 1, "", "nx: cannot roll back hello: slot b of the system is on trial\n"+
		"hint: wait for the verdict, see `nx --dir "+p.dir+" apps` and `nx --dir "+p.dir+
		" status`; `nx --dir "+p.dir+" rollback` ends a trial, with `--app hello` that of the app\n")
}

func TestClearOfAnApp(t *testing.T) {
	p := startPeer(t)
	p.change(func(s *peerState) { s.quarantine = []peerRollback{{"operator", "", "1.1.0", 0xbb}} })
	p.nx("clear", "--app", "hello", "1.1.0").want(t, 0, "cleared 1.1.0 (bbbbbbbbbbbb): it may be staged again\n", "")
	p.nx("clear", "--app", "hello", "1.1.0").want(t, 1, "",
		"nx: cannot clear 1.1.0: no quarantined set has this digest or version\n"+
			"hint: `nx --dir "+p.dir+" apps` shows what is quarantined\n")
}
