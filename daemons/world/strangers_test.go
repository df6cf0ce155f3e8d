package world_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"nexus/capnpgen/operator"
	capupdate "nexus/capnpgen/update"
	"nexus/daemons/vat/guard"
	"nexus/daemons/world"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// A deaf observer never answers.
type deaf struct{ heard *atomic.Int32 }

func (d deaf) OnChanged(ctx context.Context, call capupdate.StatusObserver_onChanged) error {
	call.Go()
	d.heard.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// follow has an Operator follow the state with count deaf observers, without waiting for the results.
func follow(t *testing.T, ctx context.Context, o operator.Operator, count int, heard, asked *atomic.Int32) {
	t.Helper()
	answer, release := o.Status(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	status := res.Status().AddRef()
	context.AfterFunc(ctx, status.Release)
	for range count {
		go func() {
			answer, release := status.Follow(ctx, func(p capupdate.UpdateStatus_follow_Params) error {
				return p.SetObserver(capupdate.StatusObserver_ServerToClient(deaf{heard}))
			})
			context.AfterFunc(ctx, release)
			<-answer.Done()
			asked.Add(1)
		}()
	}
}

// linkCalls is the number of calls in flight on one link (daemons/vat/guard).
const linkCalls = guard.MaxCalls

// TestStrangersDoNotHoldUpATrial has clients that may only observe follow the state with more observers than a link can
// have calls in flight, and answer none. initd uses separate links for its verdicts.
func TestStrangersDoNotHoldUpATrial(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	w := shared(t)
	var heard, asked atomic.Int32
	const conns, strangers = 4, 50
	for range conns {
		follow(t, ctx, as(t, ctx, w, "status"), strangers, &heard, &asked)
	}
	winding(w, func() {
		// Until a link would be full, or all observers were accepted or refused.
		for heard.Load() < linkCalls && asked.Load() < conns*strangers && ctx.Err() == nil {
			runtime.Gosched()
		}
	})
	o := w.Operator()
	update(t, o, set(t, "1.1.0", "serve 1.1.0"))
	winding(w, func() { w.Await("init: health ok (slot b)", 1) })
	update(t, o, set(t, "1.2.0", "start 1.2.0"))
	winding(w, func() { w.Await("updated: audit op=rollback slot=a version=1.2.0 result=ok reason=health-timeout", 1) })
}

// silent drops a daemon's messages on a link, once the returned flag is set.
func silent(w *world.World, facet, from, to string) *atomic.Bool {
	var on atomic.Bool
	w.Listen(func(m world.Message) (deliver bool) {
		return !(on.Load() && m.Facet == facet && m.From == from && m.To == to)
	})
	return &on
}

// TestADeadlineIsNoMessage makes one daemon at a time silent on a link that stays open. The trial ends in time, with
// the reason that names the fault.
func TestADeadlineIsNoMessage(t *testing.T) {
	for name, c := range map[string]struct {
		facet, from string
		want        refusal.Reason
	}{
		"execd does not say how the services are": {"ServiceHealth", "execd", refusal.CoreNotReady},
		"updated does not say what is due":        {"UpdateStatus", "updated", refusal.HealthTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			on := silent(w, c.facet, c.from, world.InitName)
			w.Start(set(t, "1.0.0", "serve 1.0.0"), updatestest.Key(1).Public())
			w.Await("init: health ok (slot a)", 1)
			o := w.Operator()
			update(t, o, set(t, "1.1.0", "start 1.1.0"))
			w.Await("bundlemgrd: slot b active", 1)
			on.Store(true)
			winding(w, func() {
				w.Await("updated: audit op=rollback slot=b version=1.1.0 result=ok reason="+string(c.want), 1)
			})
			on.Store(false)
		})
	}
}
