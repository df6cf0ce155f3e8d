package switchover

import (
	"slices"

	"nexus/libupdates/bundlestate"
	"nexus/libupdates/powers"
	"nexus/libupdates/trust"
)

// A Service is one service of a set, as far as it matters whether two are the same.
type Service struct {
	Name      string
	Of        bundlestate.Identity // of manifest and payload: so of arguments, environment and everything it asks for
	Publisher trust.PublicKey      // of its set; the policy grants powers by it
	User      uint32               // that its program runs as
	Data      string               // what it reads of other bundles of its set, by their digests
	Powers    []string             // that it asks for
}

// A Running is a service that was started, and has not ended yet.
type Running struct {
	Service
	// Healthy: its program runs and is healthy. One that is not gets a new start by each new attempt.
	Healthy bool
	// Holds: by its powers it would be given now what it was given when it started.
	Holds bool
	// Ending: it was told to end, or will be as soon as its successor can start.
	Ending bool
}

// A Plan says what becomes of what runs, and how the services of the next publication come to run.
type Plan struct {
	Next []Step // for each service of the next publication
	End  []int  // running services that end at once: no start waits for them
}

// A Step is how one service of the next publication comes to run.
type Step struct {
	Keep int // the running service that goes on as this one; None: it is started
	// After are the running services that must have ended before it starts. Each of them goes on running until its
	// first successor is ready to start.
	After []int
}

// None is not the index of any running service.
const None = -1

// PlanFor decides. A running service goes on only as the same service of the next publication, and only while it is
// healthy and holds what it would be given. A service that starts waits for the end of its predecessor, and of whatever
// else has something that only one of the two can have.
func PlanFor(running []Running, next []Service) Plan {
	plan := Plan{Next: make([]Step, len(next))}
	gone := make([]bool, len(running)) // ends, or goes on
	for i, service := range next {
		plan.Next[i].Keep = slices.IndexFunc(running, func(r Running) bool { return r.goesOn(service) })
		if keep := plan.Next[i].Keep; keep != None {
			gone[keep] = true
		}
	}
	kept := slices.Clone(gone)
	for i, service := range next {
		if plan.Next[i].Keep != None {
			continue
		}
		for j, r := range running {
			if !kept[j] && r.excludes(service) {
				plan.Next[i].After, gone[j] = append(plan.Next[i].After, j), true
			}
		}
	}
	for j := range running {
		if !gone[j] {
			plan.End = append(plan.End, j)
		}
	}
	return plan
}

// Same reports whether two services are the same in all that a set decides.
func (s Service) Same(other Service) bool {
	return s.Name == other.Name && s.Of == other.Of && s.Publisher == other.Publisher && s.User == other.User &&
		s.Data == other.Data
}

func (r Running) goesOn(next Service) bool {
	return r.Same(next) && r.Healthy && r.Holds && !r.Ending
}

// excludes reports whether two services of different sets do not run at the same time: they have the same name, and so
// the same state and registration, the same user, the same listening socket, or the same device, which may be one that
// only one program can have open.
func (s Service) excludes(other Service) bool {
	return s.Name == other.Name || s.User == other.User || s.shares(powers.ListenTCP, other) ||
		s.shares(powers.Device, other)
}

func (s Service) shares(kind powers.Kind, other Service) bool {
	return slices.ContainsFunc(powers.Of(kind, s.Powers), func(p powers.Power) bool {
		return slices.Contains(powers.Of(kind, other.Powers), p)
	})
}
