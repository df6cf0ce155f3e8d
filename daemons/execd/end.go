package execd

import (
	"slices"
	"time"

	"nexus/capnpgen/exec"
	"nexus/daemons/plat"
)

// How long a program may take to end after SIGTERM, and what is left of it after SIGKILL. What is still there then is
// stuck in the kernel, and nobody waits for it any more.
const (
	stopPatience = time.Second
	killPatience = 5 * time.Second
)

// stop asks a program to end, and makes it.
func (p *program) stop(clock plat.Clock) {
	p.process.Terminate()
	if !within(clock, stopPatience, p.process.Done()) {
		p.process.Kill()
	}
}

// A stuck program was told to end, and the kernel does not let go of all of its processes.
type stuck struct {
	spec spec
	pid  int
}

const stuckDetail = "it was killed, and the kernel has not ended it"

// dismiss gives up what a program speaks over, and waits for its end and that of all that it started. One that was
// killed and does not end is noted and left: it holds up nobody else, and says nothing about the set that follows its
// own.
func (s *supervisor) dismiss(spec spec, p *program) {
	p.close()
	if within(s.host.Clock, killPatience, p.process.Gone()) {
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

// within tells whether a channel is closed before some time has passed.
func within(clock plat.Clock, patience time.Duration, closed <-chan struct{}) bool {
	select {
	case <-closed:
		return true
	case <-clock.After(patience):
		return false
	}
}

// fill describes it beside the services.
func (s stuck) fill(m exec.ServiceStatus) error {
	m.SetState(exec.ServiceStatus_State_failed)
	m.SetPid(uint32(s.pid))
	m.SetSlot(s.spec.slot)
	m.SetOptional(true)
	if err := m.SetName(s.spec.name); err != nil {
		return err
	}
	if err := m.SetVersion(s.spec.version); err != nil {
		return err
	}
	return m.SetDetail(stuckDetail)
}
