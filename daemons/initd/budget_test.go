package initd

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// TestSmallRolesHaveABudget wants one for each socket of a role that is less than an operator's.
func TestSmallRolesHaveABudget(t *testing.T) {
	for _, role := range Roles() {
		if has := newControlSocket(nil, "", role).budget != nil; has != (role.Name != operatorRole) {
			t.Errorf("%s has a budget: %t", role.Name, has)
		}
	}
}

// TestTheBudgetIsOfAllWhoComeInByARole uses up a budget that hardly grows. Whoever is in by that role is heard no
// more, and nobody else comes in.
func TestTheBudgetIsOfAllWhoComeInByARole(t *testing.T) {
	share := Share{Role: "status", Path: filepath.Join(t.TempDir(), "status.sock")}
	socket, err := share.open()
	if err != nil {
		t.Fatal(err)
	}
	const burst = 10 * connectionCost
	socket.budget = guard.NewBudget(time.Hour, burst)
	s := newSystem(Config{Shares: []Share{share}}, plat.Host{Clock: plat.RealClock{}}, nil, io.Discard)
	s.ways.serve(s, []*controlSocket{socket})
	defer s.log.Close()
	defer s.ways.close(false)
	first, err := entering(t, share.Path, limit)
	if err != nil {
		t.Fatal(err)
	}
	if !answers(t, first, limit) {
		t.Fatal("no call is answered")
	}
	now := make(chan struct{})
	close(now)
	socket.budget.Spend(burst, now)
	if answers(t, first, overdue) {
		t.Error("a connection goes on beyond the budget")
	}
	_, err = entering(t, share.Path, overdue)
	socket.mu.Lock()
	defer socket.mu.Unlock()
	if err == nil || len(socket.conns) != 1 {
		t.Errorf("somebody comes in beyond the budget: %v, %d connections", err, len(socket.conns))
	}
}

// overdue is how long to wait for an answer that must not come.
const overdue = 250 * time.Millisecond

func entering(t *testing.T, path string, within time.Duration) (operator.Operator, error) {
	t.Helper()
	socket, err := plat.DialPath(path)
	if err != nil {
		t.Fatal(err)
	}
	conn := vat.Connect(socket, capnp.Client{})
	t.Cleanup(conn.Close)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	client, err := conn.Bootstrap(ctx)
	return operator.Operator(client), err
}

// answers reports whether a call is answered in this time.
func answers(t *testing.T, o operator.Operator, within time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer, release := o.Graph(ctx, nil)
	defer release()
	_, err := answer.Struct()
	return err == nil
}
