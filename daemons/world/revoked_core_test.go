package world_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// revocations has something of each kind that a set can do without.
var revocations = []aWord{
	{"bundlemgrd", "LogSink"},   // a facet
	{"packagefsd", "BundleMgr"}, // another one
	{"samgrd", "Introducer"},    // one that initd serves
	{"updated", "Registrar"},    // the right to register a name
	{"execd", "PackageFs"},      // a name
	{"execd", "bundle/beta"},    // one name of a pattern
	{"status", "Operator"},      // a role
	{"stage", "Operator"},       // another one
}

// TestARevocationOutlivesACore revokes something of each kind. Two cores take over, one after the other: the graph
// stays as it was, and no new instance of a holder gets what was revoked. What was granted again is there. A restart
// forgets all of it.
func TestARevocationOutlivesACore(t *testing.T) {
	w := world.New(t)
	w.State = filepath.Join(w.Dir, "state")
	w.Share("status")
	w.Share("stage")
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("updated: ready (statefs)", 1)
	o := w.Operator()
	o.AwaitState("the first health", 0, committed(bootctl.A))
	whole := fmt.Sprint(o.Graph())
	less := changeAll(t, o, o.Revoke, revocations)

	o = handed(t, w, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"),
		"init: handing over to core 1.1.0-core (slot b)")
	o.AwaitState("the commit", 0, committed(bootctl.B))
	checkGraph(t, o, "the core that took over", less)
	checkWithheld(t, w, revocations)

	less = changeAll(t, o, o.Grant, revocations[:4])
	if err := o.Rollback(); err != nil {
		t.Fatal(err)
	}
	w.Await("init: handing over to the core of the image", 1)
	o = under(w, o, 3)
	o.AwaitState("the way back", 0, rolledBack)
	checkGraph(t, o, "the core of the image", less)
	checkWithheld(t, w, revocations[4:])

	o.Close()
	checkGraph(t, startAgain(t, w), "a new start", whole)
}

// changeAll revokes or grants these words, and returns the graph after that.
func changeAll(t *testing.T, o *world.Operator, change func(client, word string) error, words []aWord) (graph string) {
	t.Helper()
	for _, is := range words {
		if err := change(is.client, is.word); err != nil {
			t.Fatalf("%v: %v", is, err)
		}
	}
	return fmt.Sprint(o.Graph())
}

func checkGraph(t *testing.T, o *world.Operator, who, want string) {
	t.Helper()
	if now := fmt.Sprint(o.Graph()); now != want {
		t.Errorf("%s shows\n%s\nwant\n%s", who, now, want)
	}
}

// checkWithheld checks that the present holders of words that were revoked do not have them, whatever they ask.
func checkWithheld(t *testing.T, w *world.World, revoked []aWord) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, is := range revoked {
		var err error
		switch b := w.EndowmentsOf(is.client); {
		case is.word == "Operator":
			err = deniesAll(ctx, as(t, ctx, w, is.client))
		case is.client == "execd":
			err = notFound(ctx, w, b, is.word)
		default:
			if client, got := b.Use(is.word).Get(ctx); !errors.Is(got, vat.ErrRevoked) {
				client.Release()
				err = fmt.Errorf("the facet is to be had: %v", got)
			}
		}
		if err != nil {
			t.Errorf("%s %s: %v", is.client, is.word, err)
		}
	}
}

// deniesAll checks that an Operator has no method left.
func deniesAll(ctx context.Context, o operator.Operator) error {
	answer, release := o.Status(ctx, nil)
	defer release()
	if _, err := answer.Struct(); refusal.Of(convert.Excepted(err)) != refusal.NotGranted {
		return fmt.Errorf("asked for the status: %v, want not-granted", err)
	}
	return nil
}

// TestARevocationWhileACoreIsOnItsWay revokes BundleMgr from execd while the next core is fetched. The execd of that
// core does not get it, so nothing of the set can run, and the set is not to blame for it.
func TestARevocationWhileACoreIsOnItsWay(t *testing.T) {
	w := world.New(t)
	var asked atomic.Pointer[world.Operator]
	revoked := make(chan error, 1)
	w.Listen(func(m world.Message) (deliver bool) {
		if m.Facet == "HealthGate" && m.What == "call" && m.Method == fetchCore {
			if o := asked.Swap(nil); o != nil {
				revoked <- o.Revoke("execd", "BundleMgr")
			}
		}
		return true
	})
	w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
	w.Await("init: health ok (slot a)", 1)
	o := w.Operator()
	asked.Store(o)
	updateCore(t, o, coreSet(t, "1.1.0", "serve 1.1.0", "1.1.0-core"))
	if err := <-revoked; err != nil {
		t.Fatal(err)
	}
	winding(w, func() {
		w.Await("updated: audit op=rollback slot=b version=1.1.0 result=ok reason=revoked", 1)
		w.Await("init: handing over to the core of the image", 1)
		w.Await("updated: ready (non-persistent)", 3)
	})
	o.Close()
	o = w.Operator()
	s := o.AwaitState("the state", 0, func(world.State) bool { return true })
	if s.Rollback != string(refusal.Revoked) || s.Quarantine != 0 || s.Active != bootctl.A {
		t.Errorf("got %+v", s)
	}
	checkWithheld(t, w, []aWord{{"execd", "BundleMgr"}})
}

// fetchCore is a method of HealthGate (schema/update.capnp).
const fetchCore = 5
