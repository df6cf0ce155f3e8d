package execd

import (
	"context"
	"maps"
	"slices"
	"strings"

	"nexus/libupdates/health"
	"nexus/libupdates/switchover"
)

// switchTo makes another publication the current one. Services that are the same in both, and healthy, go on running;
// the others end, each once its successor is ready to start.
func (s *supervisor) switchTo(ctx context.Context, p publication) {
	s.trees.prepare(ctx, p)
	holds := s.holding(ctx, p)
	var started, ended []*service
	s.change(func() { started, ended = s.succeed(ctx, p, holds) })
	all, anew := namesOf(p, started)
	s.forwarder.publish(s, all, anew)
	s.log.Info("services of a publication", "slot", p.slot, "boot", p.boot, "all", strings.Join(all, " "), "start",
		strings.Join(anew, " "))
	for _, service := range ended {
		service.end()
	}
	for _, service := range started {
		s.running.Go(service.run)
	}
}

// namesOf returns the names of the services of a publication, and of those that are started for it.
func namesOf(p publication, started []*service) (all, anew []string) {
	for _, spec := range p.services() {
		all = append(all, spec.name)
	}
	for _, service := range started {
		anew = append(anew, service.spec.name)
	}
	return all, anew
}

// holding returns the services that could go on in a publication and would be given by their powers what they have.
func (s *supervisor) holding(ctx context.Context, p publication) map[*service]bool {
	s.mu.Lock()
	services := slices.Clone(s.services)
	s.mu.Unlock()
	holds := map[*service]bool{}
	for _, next := range p.services() {
		i := slices.IndexFunc(services, func(other *service) bool { return other.spec.same(next) })
		if i >= 0 {
			holds[services[i]] = s.sockets.stillGiven(ctx, next)
		}
	}
	return holds
}

// succeed replaces the current publication. It returns the services that are to be run, and those that end at once.
// The lock is held.
func (s *supervisor) succeed(ctx context.Context, p publication, holds map[*service]bool) (started, ended []*service) {
	var running []switchover.Running
	all := slices.Concat(s.ending, s.services)
	for _, service := range all {
		running = append(running, switchover.Running{Service: service.spec.service(), Ending: service.leaving,
			Healthy: service.State == health.Healthy, Holds: holds[service]})
	}
	var next []switchover.Service
	specs := p.services()
	for _, spec := range specs {
		next = append(next, spec.service())
	}
	plan := switchover.PlanFor(running, next)
	services := make([]*service, len(specs))
	for i, step := range plan.Next {
		if step.Keep != switchover.None {
			services[i] = all[step.Keep]
			services[i].goOn(specs[i])
			continue
		}
		services[i] = newService(ctx, s, specs[i])
		for _, j := range step.After {
			services[i].after = append(services[i].after, all[j])
		}
		started = append(started, services[i])
	}
	for _, j := range plan.End {
		ended = append(ended, all[j])
	}
	s.ending = slices.DeleteFunc(all, func(other *service) bool { return slices.Contains(services, other) })
	for _, other := range s.ending {
		if other.leaving = true; other.program == nil {
			ended = append(ended, other) // there is nothing that could go on until its successor is ready
		}
	}
	s.current, s.services = p, services
	return started, ended
}

// service is what decides whether two services are the same.
func (s spec) service() switchover.Service {
	one := switchover.Service{Name: s.name, Of: s.identity, User: s.user, Powers: s.powers}
	copy(one.Publisher[:], s.publisher)
	for _, name := range slices.Sorted(maps.Keys(s.data)) {
		one.Data += name + "=" + treeName(s.data[name]) + " "
	}
	return one
}

func (s spec) same(other spec) bool { return s.service().Same(other.service()) }
