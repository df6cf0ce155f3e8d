package world_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/service"
	"nexus/capnpgen/vote"
	lookup "nexus/daemons/discovery"
	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/updatestest"
)

// providers returns a set with two services of this version, one that takes links and one that does not, and two that
// are the same in every such set and hold one of them each.
func providers(t testing.TB, version string) []byte {
	t.Helper()
	key := updatestest.Key(1)
	abilities := []string{nxb.AbilityService, nxb.AbilityNative}
	holder := func(name, of string) updatestest.Made {
		return updatestest.Bundle(name, "1.0.0", abilities, world.Program("keep 1.0.0 "+of), key).Asking(of,
			"BundleMgr")
	}
	return updatestest.Archive(t, key, version,
		holder("holder.linked", "bundle/linked"), holder("holder.plain", "bundle/plain"),
		updatestest.Bundle("linked", version, abilities, world.Program("link "+version+" BundleMgr"), key).
			Asking("BundleMgr"),
		updatestest.Bundle("plain", version, abilities, world.Program("serve "+version), key))
}

// assent votes for each attempt that the state shows.
func assent(ctx context.Context, b *vat.Endowments, wanted func(world.State) bool) func(world.State) bool {
	return func(s world.State) bool {
		b.Use("HealthVote").Call(ctx, func(client capnp.Client) error {
			answer, release := vote.HealthVote(client).Cast(ctx, func(p vote.HealthVote_cast_Params) error {
				p.SetBoot(s.Boot)
				p.SetHealthy(true)
				return nil
			})
			defer release()
			_, err := answer.Struct()
			return err
		})
		return wanted(s)
	}
}

// versionBy asks by a holding.
func versionBy(ctx context.Context, h *vat.Holding) (version string, err error) {
	err = h.Call(ctx, func(client capnp.Client) (err error) {
		version, err = versionOf(ctx, client)
		return err
	})
	return version, err
}

// versionOf asks a service for its version.
func versionOf(ctx context.Context, client capnp.Client) (string, error) {
	answer, release := service.Service(client).Version(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return "", err
	}
	return res.Version()
}

// TestHoldersOfAReplacedService has a daemon and two bundles hold services that an update replaces, one that takes
// links itself and one that execd stands in for. By the same holdings they reach the successor, and after the rollback
// the one before again. Nobody looks a name up again.
func TestHoldersOfAReplacedService(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := world.New(t)
	endowed := make(chan *vat.Endowments, 1)
	w.Visit(func(ctx context.Context, b *vat.Endowments) error {
		endowed <- b
		<-ctx.Done()
		return nil
	})
	w.Start(providers(t, "1.0.0"), updatestest.Key(1).Public())
	b, o := <-endowed, w.Operator()
	o.AwaitState("the first set", 50*time.Millisecond, assent(ctx, b, committed(bootctl.A)))
	holdings := map[string]*vat.Holding{}
	for _, name := range []string{"bundle/linked", "bundle/plain"} {
		find(t, ctx, w, b, name).Release()
		holdings[name] = b.Use(lookup.Facet(name))
	}
	reach := func(version string) {
		t.Helper()
		for name, holding := range holdings {
			winding(w, func() {
				if got, err := versionBy(ctx, holding); got != version || err != nil {
					t.Errorf("%s: %q, %v, want %s", name, got, err, version)
				}
			})
		}
		o.AwaitState("the holders", 50*time.Millisecond, assent(ctx, b, func(world.State) bool {
			all, err := o.Services(ctx)
			return err == nil && slices.Contains(all, "holder.linked 1.0.0: "+version) &&
				slices.Contains(all, "holder.plain 1.0.0: "+version)
		}))
	}
	reach("1.0.0")
	before := processes(t, o, bootctl.A)
	update(t, o, providers(t, "1.1.0"))
	o.AwaitState("the commit", 50*time.Millisecond, assent(ctx, b, committed(bootctl.B)))
	reach("1.1.0")
	if err := o.Rollback(); err != nil {
		t.Fatal(err)
	}
	o.AwaitState("the rollback", 50*time.Millisecond, assent(ctx, b, committed(bootctl.A)))
	reach("1.0.0")
	after := processes(t, o, bootctl.A)
	for name, pid := range before {
		if same := after[name] == pid; same != (name != "linked" && name != "plain") {
			t.Errorf("%s is process %d, and was %d", name, after[name], pid)
		}
	}
}

// TestOneRetryReachesTheSuccessor calls services without a pause while updates replace them. A call that fails does so
// as disconnected, and never hangs; looked up again at once, the service answers.
func TestOneRetryReachesTheSuccessor(t *testing.T) {
	for name, c := range callThrough(t, 3) {
		if c.lost != nil {
			t.Errorf("%s: call %d was lost: %v", name, c.made, c.lost)
		}
	}
}

// BenchmarkRetry counts the calls that fail while updates replace the services which they are for, and those that fail
// again when they are retried once, at once.
func BenchmarkRetry(b *testing.B) {
	made, failed, lost := 0, 0, 0
	for _, c := range callThrough(b, b.N) {
		made, failed = made+c.made, failed+c.failed
		if c.lost != nil {
			lost++
		}
	}
	b.ReportMetric(float64(made)/float64(b.N), "calls/update")
	b.ReportMetric(float64(failed)/float64(b.N), "failed/update")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(0, "ns/op") // it would count the system's start
}

// callThrough has three clients call services without a pause while so many updates replace these, and returns what
// became of their calls.
func callThrough(t testing.TB, updates int) map[string]calls {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := world.New(t)
	endowed := make(chan *vat.Endowments, 1)
	w.Visit(func(ctx context.Context, b *vat.Endowments) error {
		endowed <- b
		<-ctx.Done()
		return nil
	})
	w.Start(providers(t, "1.0.0"), updatestest.Key(1).Public())
	b, o := <-endowed, w.Operator()
	o.AwaitState("the first set", 50*time.Millisecond, assent(ctx, b, committed(bootctl.A)))
	calling, stop := context.WithCancel(ctx)
	defer stop()
	manager := managerOf(t, ctx, w, "holder.plain")
	clients := map[string]lookUp{
		"a daemon, of one that takes links": byLink(b, "bundle/linked"),
		"a daemon, of one that does not":    byLink(b, "bundle/plain"),
		"a bundle that does not, of the same": func(ctx context.Context) (capnp.Client, error) {
			return get(ctx, manager, "bundle/plain", false)
		},
	}
	results := map[string]chan calls{}
	for name, client := range clients {
		winding(w, func() {
			for findAndCall(ctx, client) != nil && ctx.Err() == nil {
				time.Sleep(time.Millisecond) // it has not registered yet
			}
		})
		result := make(chan calls, 1)
		results[name] = result
		go func() { result <- callOn(calling, ctx, client) }()
	}
	slot := bootctl.B
	for n := range updates {
		next := fmt.Sprintf("1.%d.0", n+1)
		update(t, o, providers(t, next))
		o.AwaitState("the commit of "+next, 50*time.Millisecond, assent(ctx, b, committed(slot)))
		slot = slot.Other()
	}
	stop()
	all := map[string]calls{}
	for name, result := range results {
		all[name] = <-result
	}
	return all
}

// A lookUp finds a service.
type lookUp func(context.Context) (capnp.Client, error)

func byLink(b *vat.Endowments, name string) lookUp {
	return func(ctx context.Context) (capnp.Client, error) { return lookup.Find(ctx, b, name) }
}

// calls are what became of the calls of one client.
type calls struct {
	made, failed int
	lost         error // the first that failed otherwise than as disconnected, or failed again
}

// callOn calls a service until calling ends or a call is lost, and again at once if one fails as disconnected. Whether
// a call meets a replacement at all is up to the machine.
func callOn(calling, ctx context.Context, find lookUp) (c calls) {
	for ; calling.Err() == nil && c.lost == nil; c.made++ {
		err := findAndCall(ctx, find)
		if err == nil {
			continue
		}
		if c.failed++; vat.Disconnected(err) {
			err = findAndCall(ctx, find)
		}
		c.lost = err
	}
	return c
}

func findAndCall(ctx context.Context, find lookUp) error {
	client, err := find(ctx)
	if err != nil {
		return err
	}
	defer client.Release()
	return version(ctx, client)
}

// TestALeavingServiceGetsNoClients has two programs that were told to end and go on serving. Whoever looks them up then
// reaches their successors: nobody can meet a program that is about to end.
func TestALeavingServiceGetsNoClients(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := world.New(t)
	letGo := sync.OnceFunc(w.LetGo)
	endowed := make(chan *vat.Endowments, 1)
	w.Visit(func(ctx context.Context, b *vat.Endowments) error {
		endowed <- b
		<-ctx.Done()
		return nil
	})
	w.Start(leaving(t, "1.0.0", "cling", "stuck"), updatestest.Key(1).Public())
	t.Cleanup(letGo) // before the system stops, whose clock stands still
	b, o := <-endowed, w.Operator()
	o.AwaitState("the first set", 50*time.Millisecond, assent(ctx, b, committed(bootctl.A)))
	update(t, o, leaving(t, "1.1.0", "link", "serve"))
	w.AwaitTold(2)
	type found struct{ name, version string }
	results := make(chan found, 2)
	for _, name := range []string{"bundle/linked", "bundle/plain"} {
		go func() {
			version, err := "", error(nil)
			if client, failed := lookup.Find(ctx, b, name); failed == nil {
				version, err = versionOf(ctx, client)
				client.Release()
			} else {
				err = failed
			}
			results <- found{name, fmt.Sprint(version, err)}
		}()
	}
	for range 200 { // they would be answered meanwhile
		services(t, o)
	}
	letGo()
	o.AwaitState("the commit", 50*time.Millisecond, assent(ctx, b, committed(bootctl.B)))
	for range 2 {
		if f := <-results; f.version != fmt.Sprint("1.1.0", error(nil)) {
			t.Errorf("%s: %s, want 1.1.0", f.name, f.version)
		}
	}
}

// leaving returns a set with two services that do this.
func leaving(t testing.TB, version, linked, plain string) []byte {
	t.Helper()
	key := updatestest.Key(1)
	abilities := []string{nxb.AbilityService, nxb.AbilityNative}
	return updatestest.Archive(t, key, version,
		updatestest.Bundle("linked", version, abilities, world.Program(linked+" "+version+" BundleMgr"), key).
			Asking("BundleMgr"),
		updatestest.Bundle("plain", version, abilities, world.Program(plain+" "+version), key))
}
