package initd

import (
	"context"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/exec"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// An attempt is the boot attempt initd is at. It outlives a restart of `updated`, whose record names it by number.
type attempt struct {
	boot     uint64
	slot     bootrecord.Slot
	failed   *failure         // it could not even be published
	deadline <-chan time.Time // when the verdict is due
	services serviceWord
	settled  bool // its verdict has been acknowledged
	end      context.CancelFunc
}

// A failure is why an attempt is not healthy.
type failure struct {
	reason refusal.Reason
	detail string
}

// A serviceWord is what execd says of the services of one attempt.
type serviceWord struct {
	mu      sync.Mutex
	verdict health.Verdict
}

func (w *serviceWord) get() health.Verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verdict.Outcome == health.Waiting {
		return health.Verdict{Outcome: health.Waiting, Detail: "the services: not all healthy"}
	}
	return w.verdict
}

// put keeps the first word: what was said once is final.
func (w *serviceWord) put(v health.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verdict.Outcome == health.Waiting {
		w.verdict = v
	}
}

// newAttempt makes an attempt and starts to listen for the word of its services, until it ends.
func (s *system) newAttempt(ctx context.Context, boot uint64, slot bootrecord.Slot) *attempt {
	ctx, end := context.WithCancel(ctx)
	a := &attempt{boot: boot, slot: slot, end: end, deadline: s.host.Clock.After(s.config.Policy.Deadline)}
	go s.holdings["ServiceWatch"].Each(ctx, func(ctx context.Context, client capnp.Client) { s.hearServices(ctx, exec.ServiceWatch(client), a) })
	return a
}

// hearServices asks one life of execd for its verdict on an attempt. It asks each life, also when the attempt has long been settled: once
// it has told its verdict, execd starts services again that end.
func (s *system) hearServices(ctx context.Context, watch exec.ServiceWatch, a *attempt) {
	answer, release := watch.Verdict(ctx, func(p exec.ServiceWatch_verdict_Params) error {
		p.SetBoot(a.boot)
		return nil
	})
	defer release()
	v, err := verdictOf(answer.Struct())
	if err != nil || v.Reason == refusal.Superseded {
		return // its next life is asked again, or another attempt has begun
	}
	a.services.put(v)
	s.changed.Notify()
}

func verdictOf(res exec.ServiceWatch_verdict_Results, err error) (health.Verdict, error) {
	if err != nil {
		return health.Verdict{}, err
	}
	if res.Ok() {
		return health.Verdict{Outcome: health.OK}, nil
	}
	reason, err := res.Reason()
	if err != nil {
		return health.Verdict{}, err
	}
	detail, err := res.Detail()
	return health.Verdict{Outcome: health.Failed, Reason: refusal.Reason(reason), Detail: detail}, err
}
