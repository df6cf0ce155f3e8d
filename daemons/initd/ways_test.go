package initd

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nexus/daemons/plat"
)

// come connects to a socket again and again until done.
func come(path string, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		if conn, err := plat.DialPath(path); err == nil {
			conn.Close()
		}
	}
}

// A role can be revoked and granted while people come in by it: none of them waits for the other.
func TestARoleIsRevokedWhileSomebodyComesIn(t *testing.T) {
	share := Share{Role: "status", Path: filepath.Join(t.TempDir(), "status.sock")}
	socket, err := share.open()
	if err != nil {
		t.Fatal(err)
	}
	s := newSystem(Config{Shares: []Share{share}}, plat.Host{Clock: plat.RealClock{}}, nil, io.Discard)
	s.ways.serve(s, []*controlSocket{socket})
	authority := &authorityServer{
		links: s.links, ways: s.ways, graph: graph(s.table, s.config.clients()), log: s.log,
	}
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		for range 2000 {
			if err := errors.Join(authority.revoke("status", operatorFacet),
				authority.grant("status", operatorFacet)); err != nil {
				failed <- err
				return
			}
		}
	}()
	go come(share.Path, done)
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("revoking a role and coming in by it wait for one another")
	}
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	s.ways.close(false)
	s.log.Close()
}

// What the graph shows of roles is what they are now.
func TestABarredRoleIsNotOpen(t *testing.T) {
	ledger := &revocations{}
	w := newWays(ledger)
	all := len(Roles())
	for range 2 {
		if err := w.bar("status", true); err != nil {
			t.Fatal(err)
		}
	}
	if len(ledger.words) != 1 {
		t.Errorf("the ledger has %q", ledger.words)
	}
	if open := w.open(Roles()); len(open) != all-1 ||
		slices.ContainsFunc(open, func(r Role) bool { return r.Name == "status" }) {
		t.Errorf("open are %v", open)
	}
	if err := w.bar("status", false); err != nil {
		t.Fatal(err)
	}
	if open := w.open(Roles()); len(open) != all || len(ledger.words) != 0 {
		t.Errorf("open are %v, the ledger has %q", open, ledger.words)
	}
}
