package execd

import (
	"context"
	"errors"
	"slices"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/health"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
)

// hinderedPause is the pause between attempts to start what the machine does not let start.
const hinderedPause = time.Second

// restarts are the pauses before a service that ended after a good verdict is restarted.
func restarts() plat.Backoff {
	return plat.Backoff{First: 500 * time.Millisecond, Max: 10 * time.Second, Good: 30 * time.Second}
}

// A service is one service bundle, in every publication that has it unchanged.
type service struct {
	spec  spec // goOn changes part of it
	sup   *supervisor
	ctx   context.Context // ends when the service is to end
	end   context.CancelFunc
	ended chan struct{} // closed when it has ended, and all that it had to wait for
	after []*service    // must have ended before it starts for the first time
	wake  chan struct{} // a token to check its health at once

	// Guarded by the supervisor's lock.
	health.Service
	leaving  bool   // it is not part of the current publication: once its program ends, it ends
	awaited  bool   // it went on from another publication, and has not been asked since
	since    uint64 // the attempt during which its program was started
	pid      int
	restarts uint32
	lapses   uint32   // how often it was healthy and then no longer, without an end
	program  *program // the one that runs; nil: none does
	failure  lastFailure
	damaged  bool // its payload is not what was signed, or cannot be read
}

// A lastFailure records the last failure of a service; zero for none.
type lastFailure struct {
	how             string // one line for people
	output, refused []string
}

func newService(ctx context.Context, sup *supervisor, spec spec) *service {
	s := &service{
		spec: spec, sup: sup, ended: make(chan struct{}), wake: make(chan struct{}, 1),
		Service: health.Service{Name: spec.name, Version: spec.version, Optional: spec.optional},
	}
	s.ctx, s.end = context.WithCancel(ctx)
	return s
}

// goOn makes the service, which runs, that of another publication with the same bundle. It counts from 0 again; a
// native one counts as healthy once it has said so in this publication, too. The lock is held.
func (s *service) goOn(next spec) {
	s.spec.slot, s.spec.set, s.Optional = next.slot, next.set, next.optional
	s.restarts, s.lapses, s.failure, s.awaited = 0, 0, lastFailure{}, s.Native
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run keeps the service running until it is to end.
func (s *service) run() {
	defer s.sup.forget(s)
	s.keepRunning(s.ctx)
	s.relieve()
}

// relieve ends what must have ended before the service starts, and waits for that.
func (s *service) relieve() {
	for _, other := range s.after {
		other.end()
	}
	for _, other := range s.after {
		<-other.ended
	}
	s.after = nil
}

// forget removes a service that has ended.
func (s *supervisor) forget(over *service) {
	over.end()
	s.mu.Lock()
	s.ending = slices.DeleteFunc(s.ending, func(other *service) bool { return other == over })
	s.mu.Unlock()
	close(over.ended)
}

func (s *service) keepRunning(ctx context.Context) {
	pause := time.Duration(0)
	for {
		began := s.sup.clock.Now()
		s.live(ctx)
		if ctx.Err() != nil || s.isLeaving() {
			return
		}
		if s.is(health.Hindered) {
			if !s.pause(ctx, hinderedPause) {
				return
			}
			continue // it never ran, so this is no restart
		}
		pause = restarts().Next(pause, s.sup.clock.Now().Sub(began))
		if !s.awaitRestart(ctx, pause) {
			return
		}
		s.sup.change(func() { s.restarts++ })
	}
}

// awaitRestart waits until the service may be started again; it returns false if it never may.
func (s *service) awaitRestart(ctx context.Context, pause time.Duration) bool {
	for {
		next := s.sup.changed.Next()
		if s.sup.mayRestart() {
			break
		}
		if await(ctx, next) != nil {
			return false
		}
	}
	return s.pause(ctx, pause)
}

// pause waits; it returns false if the service is to end.
func (s *service) pause(ctx context.Context, pause time.Duration) bool {
	select {
	case <-s.sup.clock.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *service) is(state health.State) bool {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	return s.State == state
}

func (s *service) isLeaving() bool {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	return s.leaving
}

// asItIs returns how the service is to be run now.
func (s *service) asItIs() spec {
	s.sup.mu.Lock()
	defer s.sup.mu.Unlock()
	return s.spec
}

// live is one run of the service: start, watch, end.
func (s *service) live(ctx context.Context) {
	if !s.is(health.Hindered) { // else it stays so until it runs: a deadline in between has the same cause
		s.sup.change(s.starts)
	}
	spec := s.asItIs()
	program, err := s.sup.launcher.start(ctx, spec, spec.name, s.relieve)
	if err != nil {
		if ctx.Err() == nil {
			s.failedBy(err)
		}
		return
	}
	defer s.sup.dismiss(spec, program)
	s.sup.change(func() {
		s.starts()
		s.pid, s.program, s.since = program.process.PID(), program, s.sup.current.boot
	})
	defer s.sup.change(func() { s.pid, s.program, s.since = 0, nil, 0 })

	life, end := context.WithCancel(ctx)
	over := func() {
		end() // nothing may call it healthy any more
		program.links.leave()
	}
	defer over()
	go s.watch(life, program)
	select {
	case <-program.process.Done():
		over()
		s.exited(program)
	case <-program.breach.known:
		over()
		s.fail(health.Unhealthy, "it broke the protocol on its connection: "+string(program.breach.reason))
		program.stop(s.sup.clock) // whatever it is, it is not the service that was signed for
		if within(s.sup.clock, killPatience, program.process.Done()) {
			program.output.drain(s.sup.clock)
			s.report(program, "it broke the protocol: "+string(program.breach.reason))
		}
	case <-ctx.Done():
		over()
		program.stop(s.sup.clock)
	}
}

// starts resets the service's state to starting. It is native if its manifest says so, or once it answers. The lock is
// held.
func (s *service) starts() {
	s.State, s.Detail, s.Native, s.damaged, s.awaited = health.Starting, "", s.spec.native, false, false
}

// exited records the end of a program that was not told to end.
func (s *service) exited(program *program) {
	exit := program.process.Exit()
	detail := exit.String()
	if program.group.Exceeded() {
		detail += ": over the memory of a bundle"
	}
	program.output.drain(s.sup.clock)
	if exit.OK() {
		s.fail(health.Exited, detail)
		return
	}
	how := exit.String()
	if err := decayOf(program.payload, s.spec.size, errors.New(detail)); refusal.Of(err) == refusal.Damaged {
		how += ": " + string(refusal.Damaged)
		s.failedBy(err)
	} else {
		s.fail(health.Exited, detail)
	}
	s.report(program, how)
}

// failedBy records that the service cannot run, and why.
func (s *service) failedBy(err error) {
	_, damaged := slots.DamageOf(err)
	s.sup.change(func() {
		s.State, s.Detail, s.damaged = stateOf(err), err.Error(), damaged
		s.noteFailure(s.Detail)
	})
	s.endWaits()
}

// report reports that a program of the service ended as it should not have.
func (s *service) report(program *program, how string) {
	s.sup.mu.Lock()
	spec, restarts := s.spec, s.restarts
	s.sup.mu.Unlock()
	s.sup.launcher.report(spec, program, how, restarts)
}

// fail records that the service failed, and how.
func (s *service) fail(how health.State, detail string) {
	s.sup.change(func() {
		s.State, s.Detail = how, detail
		s.noteFailure(detail)
	})
	s.endWaits()
}

// noteFailure records the failure and the program's last output. The supervisor's lock is held.
func (s *service) noteFailure(detail string) {
	s.failure = lastFailure{how: detail}
	if s.program != nil {
		s.failure.output, s.failure.refused = s.program.said()
	}
}

// words returns the last output of the program that failed last, or of the one that runs. The supervisor's lock is
// held.
func (s *service) words() (output, refused []string) {
	switch {
	case s.failure.how != "":
		return s.failure.output, s.failure.refused
	case s.State != health.Healthy && s.program != nil:
		return s.program.said()
	}
	return nil, nil
}

// stateOf returns the state of a service that could not be started. Only a defect of the program itself, or a power
// that it asks for and is not granted, counts against its set. All other causes are faults of the machine, of execd, or
// of a daemon that it calls, including bytes other than those that were verified when the slot was published. The start
// is then tried again until the attempt's deadline.
func stateOf(err error) health.State {
	switch reason := refusal.Of(err); {
	case plat.ProgramRefused(err), reason == refusal.WrongArchitecture, reason == refusal.PolicyDenied,
		reason == refusal.PortTaken, reason == refusal.NoSuchData, reason == refusal.BadTree:
		return health.StartFailed
	}
	return health.Hindered
}
