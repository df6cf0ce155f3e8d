package guard_test

import (
	"context"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// TestABudgetIsShared uses up a budget that hardly grows, and that two connections share. From then on nothing arrives
// on either of them, and both can be closed; a connection with another budget goes on.
func TestABudgetIsShared(t *testing.T) {
	const burst = 40
	shared := guard.NewBudget(time.Hour, burst)
	first, second := within(t, shared), within(t, shared)
	other := within(t, guard.NewBudget(time.Hour, burst))
	for i, client := range []capnp.Client{first, second, other} {
		if !arrives(t, client, limit) {
			t.Fatalf("nothing arrives on connection %d", i)
		}
	}
	shared.Take(burst, time.Now())
	for i, client := range []capnp.Client{first, second} {
		if arrives(t, client, overdue) {
			t.Errorf("connection %d goes on beyond the budget", i)
		}
	}
	if !arrives(t, other, limit) {
		t.Error("a connection with another budget waits")
	}
}

// within returns the object that is served over a connection with a budget.
func within(t *testing.T, budget *guard.Budget) capnp.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ours, theirs := sockets(t)
	served := vat.Connect(ours, object(), guard.Within(budget))
	t.Cleanup(served.Close)
	conn := vat.Connect(theirs, capnp.Client{})
	t.Cleanup(conn.Close)
	client, err := conn.Bootstrap(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Release)
	return client
}

// overdue is how long to wait for an answer that must not come.
const overdue = 250 * time.Millisecond

// arrives reports whether a call is answered in this time.
func arrives(t *testing.T, client capnp.Client, within time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	answer, release := send(ctx, client, empty, nil)
	defer release()
	_, err := answer.Struct()
	return err == nil
}

// TestABudgetGrows takes from a budget at given times.
func TestABudgetGrows(t *testing.T) {
	b := guard.NewBudget(100*time.Millisecond, 5)
	at := time.Unix(1e9, 0)
	for i, c := range []struct {
		after time.Duration
		count int
		want  time.Duration
	}{
		{0, 5, 0}, // what was saved up
		{0, 1, 100 * time.Millisecond},
		{0, 2, 300 * time.Millisecond},
		{300 * time.Millisecond, 1, 100 * time.Millisecond},
		{time.Hour, 5, 0}, // no more than that is saved up
		{0, 1, 100 * time.Millisecond},
	} {
		at = at.Add(c.after)
		if got := b.Take(c.count, at); max(got, 0) != c.want {
			t.Errorf("step %d: waits for %v, want %v", i, got, c.want)
		}
	}
	var none *guard.Budget
	none.Spend(1<<30, nil)
}
