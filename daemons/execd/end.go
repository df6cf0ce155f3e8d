package execd

import (
	"context"
	"errors"
	"slices"
	"time"

	"nexus/capnpgen/exec"
	"nexus/daemons/plat"
)

// How long a program may take to end after SIGTERM, and its remaining processes after SIGKILL. What is still there
// after that is stuck in the kernel and is not waited for.
const (
	stopPatience = time.Second
	killPatience = 5 * time.Second
)

// stop asks a program to end, and kills it if it does not.
func (p *program) stop(clock plat.Clock) {
	p.process.Terminate()
	if !within(clock, stopPatience, p.process.Done()) {
		p.process.Kill()
	}
}

// endWith waits until a program has ended, and ends it when the context does.
func (p *program) endWith(ctx context.Context, clock plat.Clock) {
	select {
	case <-p.process.Gone():
	case <-ctx.Done():
		p.stop(clock)
		within(clock, killPatience, p.process.Gone())
	}
}

// A stuck program was killed, but some of its processes remain in the kernel.
type stuck struct {
	spec spec
	pid  int
}

const stuckDetail = "it was killed, and the kernel has not ended it"

// dismiss closes a program's connections and waits until it and all that it started have ended. A program that was
// killed and does not end is recorded as stuck and left: it delays no other program, and says nothing about the next
// set.
func (s *supervisor) dismiss(spec spec, p *program) {
	p.close()
	if within(s.clock, killPatience, p.process.Gone()) {
		p.group.Remove()
		return
	}
	one := stuck{spec, p.process.PID()}
	s.log.Warn("cannot end program", "bundle", spec.name, "version", spec.version, "pid", one.pid, "reason",
		stuckDetail)
	s.mu.Lock()
	s.stuck = append(s.stuck, one)
	s.mu.Unlock()
	s.changed.Notify()
	go func() {
		<-p.process.Gone()
		p.group.Remove()
		s.log.Info("program has ended after all", "bundle", spec.name, "version", spec.version, "pid", one.pid)
		s.mu.Lock()
		s.stuck = slices.DeleteFunc(s.stuck, func(other stuck) bool { return other.pid == one.pid })
		s.mu.Unlock()
		s.changed.Notify()
	}()
}

// within reports whether a channel is closed before the time is up.
func within(clock plat.Clock, patience time.Duration, closed <-chan struct{}) bool {
	select {
	case <-closed:
		return true
	case <-clock.After(patience):
		return false
	}
}

// fill writes it into a list of services.
func (s stuck) fill(m exec.ServiceStatus) error {
	m.SetState(exec.ServiceStatus_State_failed)
	m.SetPid(uint32(s.pid))
	m.SetSlot(s.spec.slot)
	m.SetOptional(true)
	return errors.Join(m.SetName(s.spec.name), m.SetVersion(s.spec.version), m.SetDetail(stuckDetail))
}
