package soak

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"nexus/selftest/kit"
)

// Links are where the system's links lead: the slots, and the confirmed one.
type Links struct{ a, b, staged, active string }

func (s *Soak) links() Links {
	read := func(name string) string {
		target, _ := os.Readlink(s.at("system", name))
		return target
	}
	return Links{read("a"), read("b"), read("staged"), read("active")}
}

// events sees the moment of a fault come, from now on: it knows how things are when the cycle begins.
func (s *Soak) events() func(verb *kit.Verb) map[string]func(n int) bool {
	line, links := s.host.Shown(), s.links()
	return func(verb *kit.Verb) map[string]func(n int) bool {
		return map[string]func(n int) bool{
			Begun:    func(int) bool { return true },
			Progress: func(n int) bool { return verb.Progress() >= n },
			Console:  func(n int) bool { return s.host.Shown() >= line+n },
			Receiving: func(int) bool {
				_, err := os.Lstat(s.at("system/sets/.stage"))
				return err == nil
			},
			Filled:    func(int) bool { return s.links().staged != links.staged },
			Committed: func(int) bool { return s.links().active != links.active },
			Ended:     func(int) bool { return verb.Ended() },
		}
	}
}

// daemons are all but initd, in the order of their names.
func daemons() []string {
	return []string{"bundlemgrd", "execd", "fetchd", "keystored", "logd", "packagefsd", "patchd", "samgrd", "updated"}
}

// strike kills or stops what the plan says and returns what that was; empty where it does not run.
func (s *Soak) strike(c Cycle, verb *kit.Verb) string {
	switch c.Target {
	case Daemon:
		return s.strikeDaemons(c)
	case Service:
		services := slices.DeleteFunc(s.host.Members(), func(p kit.Proc) bool { return !isService(p) })
		if len(services) == 0 {
			return ""
		}
		return kill(services[c.Victim%len(services)])
	case Command:
		if verb.Ended() {
			return ""
		}
		verb.Kill()
		return "nx"
	case Init:
		syscall.Kill(s.host.PID(), syscall.SIGKILL)
		return "initd"
	default:
		s.killAll(c)
		return "everything"
	}
}

// strikeDaemons kills or stops one daemon, or two that are not the same.
func (s *Soak) strikeDaemons(c Cycle) string {
	names := daemons()
	at := c.Victim % len(names)
	hit := []string{names[at]}
	if c.Again {
		more := 1 + c.Victim/len(names)%(len(names)-1)
		hit = append(hit, names[(at+more)%len(names)])
	}
	signal := syscall.SIGKILL
	if c.Stop {
		signal = syscall.SIGSTOP
	}
	for _, p := range s.host.Members() {
		if slices.Contains(hit, p.Name) && !isService(p) {
			syscall.Kill(p.PID, signal) // it may have ended since it was seen
		}
	}
	return strings.Join(hit, " and ")
}

// killAll kills every process of the system, in the order of the plan.
func (s *Soak) killAll(c Cycle) {
	all := s.host.Members()
	r := rand.New(rand.NewPCG(c.Order, 0))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, p := range all {
		kill(p)
	}
}

// restart starts the system again after all of it has gone. Where the plan strikes twice, it dies once more on the way
// up.
func (s *Soak) restart(c Cycle) error {
	for strike := c.Again; ; strike = false {
		if err := s.host.Gone(); err != nil {
			return err
		}
		line := s.host.Shown()
		if err := s.up(); err != nil {
			return err
		}
		if !strike {
			return nil
		}
		if err := kit.Within(kit.StartBound, "the console",
			func() bool { return s.host.Shown() >= line+c.Pause }); err != nil {
			return err
		}
		time.Sleep(c.Moment.Delay)
		s.killAll(c)
		syscall.Kill(s.host.PID(), syscall.SIGKILL) // it may not have been a member yet
	}
}

// kill kills one process; it may have ended since it was seen.
func kill(p kit.Proc) string {
	syscall.Kill(p.PID, syscall.SIGKILL)
	return p.Name
}

// isService tells services from daemons: execd tells them their slot.
func isService(p kit.Proc) bool {
	return slices.ContainsFunc(p.Env(), func(v string) bool { return strings.HasPrefix(v, "NEXUS_SLOT=") })
}
