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

// A deaf observer gives no answer.
type deaf struct{ heard *atomic.Int32 }

func (d deaf) OnChanged(ctx context.Context, call capupdate.StatusObserver_onChanged) error {
	call.Go()
	d.heard.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// follow has an Operator follow the record with that many deaf observers. Nobody waits for what becomes of that.
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

// linkCalls is how many calls a link carries at a time (daemons/vat/guard).
const linkCalls = guard.MaxCalls

// TestStrangersDoNotHoldUpATrial has those who may only look follow the record with more observers than a link carries
// calls, and answer none. What initd needs for its verdicts goes over links of its own.
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
		// until a link would be full, or all were let in or refused
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

// silent drops what a daemon says over a link, from when it is told to.
func silent(w *world.World, facet, from, to string) *atomic.Bool {
	var on atomic.Bool
	w.Listen(func(m world.Message) (deliver bool) {
		return !(on.Load() && m.Facet == facet && m.From == from && m.To == to)
	})
	return &on
}

// TestADeadlineIsNoMessage has daemons say nothing at all, one at a time, over a link that lives. The trial ends in
// time, with the reason that says whose fault it is.
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
