package initd

import (
	"context"
	"sync"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bootrecord"
	"nexus/capnpgen/exec"
	"nexus/capnpgen/update"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
)

// An attempt is the boot attempt initd is at. It outlives a restart of `updated`, whose record names it by number.
type attempt struct {
	boot     uint64
	slot     bootrecord.Slot
	policy   health.Policy    // the device's and the set's
	failed   *failure         // it could not even be published
	deadline <-chan time.Time // when the verdict is due
	services serviceWord
	trial    bool             // whether its slot is on trial
	reported bool             // it was found unhealthy, and there is nothing to go back to: from then on only better news count
	settled  bool             // its verdict has been acknowledged
	handing  bool             // another core has to take over for it, and has not yet
	watched  bool             // it was confirmed, and its set is under watch
	abrupt   bool             // boots ended without an order: once its set has held without a watch, that is to be said, too
	holds    <-chan time.Time // when it will have; nil: not asked
	held     bool             // it has, and that was not said yet
	watch    serviceWord

	beginWatch func() // starts to look at its services, once it was confirmed
	end        context.CancelFunc
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

// put keeps a word; where the first one is final, that.
func (w *serviceWord) put(v health.Verdict, final bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !final || w.verdict.Outcome == health.Waiting {
		w.verdict = v
	}
}

// newAttempt takes up an attempt and starts to listen for the word of its services, until it ends.
func (s *system) newAttempt(ctx context.Context, m update.Attempt) *attempt {
	ctx, end := context.WithCancel(ctx)
	policy := s.config.Policy.With(milliseconds(m.DeadlineMs()), milliseconds(m.WatchMs()))
	a := &attempt{
		boot: m.Boot(), slot: m.Slot(), trial: m.Trial(), abrupt: m.AbruptEnds() > 0, policy: policy, end: end,
		deadline: s.host.Clock.After(policy.Deadline),
	}
	a.beginWatch = func() { go s.keepWatch(ctx, a) }
	go s.holdings["ServiceWatch"].Each(ctx, func(ctx context.Context, client capnp.Client) { s.hearServices(ctx, exec.ServiceWatch(client), a) })
	return a
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// askAgain is the pause before execd is asked again about services that were not well. Outside a trial nothing follows from that, and
// they may recover.
const askAgain = time.Second

// hearServices asks one life of execd for its verdict on an attempt, until it is a good one. It asks each life, also when the attempt
// has long been settled: once it has told its verdict, execd starts services again that end.
func (s *system) hearServices(ctx context.Context, watch exec.ServiceWatch, a *attempt) {
	for {
		v, err := askServices(ctx, watch, a.boot)
		if err != nil || v.Reason == refusal.Superseded {
			return // its next life is asked again, or another attempt has begun
		}
		a.services.put(v, a.trial)
		s.changed.Notify()
		if v.Outcome == health.OK || a.trial {
			return
		}
		select {
		case <-s.host.Clock.After(askAgain):
		case <-ctx.Done():
			return
		}
	}
}

// watchEvery is how often the services of a set under watch are looked at.
const watchEvery = time.Second

// keepWatch looks at the services of a confirmed set until there is a verdict on it, its attempt ends or ctx does. A daemon that is away has no
// word on them.
func (s *system) keepWatch(ctx context.Context, a *attempt) {
	over := s.host.Clock.After(a.policy.Watch)
	ended := false
	for {
		select {
		case <-s.host.Clock.After(watchEvery):
		case <-over:
			ended, over = true, nil
		case <-ctx.Done():
			return
		}
		services, quorum, err := s.lookAtServices(ctx)
		if err != nil {
			continue
		}
		v := health.JudgeWatch(services, quorum, ended)
		a.watch.put(v, true)
		if v.Outcome != health.Waiting {
			s.changed.Notify()
			return
		}
	}
}

// lookAtServices asks execd how the services are, and how many of the optional ones must be well.
func (s *system) lookAtServices(ctx context.Context) (services []health.Watched, quorum int, err error) {
	client, err := s.holdings["ServiceWatch"].Get(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer client.Release()
	answer, release := exec.ServiceWatch(client).List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, 0, err
	}
	list, err := res.Services()
	if err != nil {
		return nil, 0, err
	}
	for i := range list.Len() {
		service, err := watchedService(list.At(i))
		if err != nil {
			return nil, 0, err
		}
		services = append(services, service)
	}
	return services, int(res.Quorum()), nil
}

func watchedService(m exec.ServiceStatus) (w health.Watched, err error) {
	if w.Name, err = m.Name(); err != nil {
		return w, err
	}
	if w.Version, err = m.Version(); err != nil {
		return w, err
	}
	w.Detail, err = m.Detail()
	w.Restarts, w.Optional = m.Restarts(), m.Optional()
	switch m.State() {
	case exec.ServiceStatus_State_healthy:
		w.State = health.Healthy
	case exec.ServiceStatus_State_starting:
		w.State = health.Starting
	default:
		w.State = health.Unhealthy
	}
	return w, err
}

func askServices(ctx context.Context, watch exec.ServiceWatch, boot uint64) (health.Verdict, error) {
	answer, release := watch.Verdict(ctx, func(p exec.ServiceWatch_verdict_Params) error {
		p.SetBoot(boot)
		return nil
	})
	defer release()
	return verdictOf(answer.Struct())
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
