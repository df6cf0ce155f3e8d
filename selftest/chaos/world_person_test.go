package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"nexus/daemons/vat"
	"nexus/daemons/world"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// patience ends what hangs. What takes long on a slow machine ends by itself.
const patience = 10 * time.Minute

// firstKnock is how long the first attempt to connect may take. After one that ran out of time the next may take twice
// as long, so that a slow machine gets through as well.
const firstKnock = 200 * time.Millisecond

// errLost reports that a flow did not complete.
var errLost = errors.New("the flow did not complete")

// A person is an operator with a goal who continues after each death: looks at the state, and does what is next. If
// nothing dies, a person gives each command once.
type person struct {
	s        *system
	app      string          // the package that it is about; empty: the system
	o        *world.Operator // nil if there is no connection
	deadline time.Time
	knock    time.Duration // how long the next attempt to connect may take
}

func newPerson(s *system) *person {
	return &person{s: s, deadline: time.Now().Add(patience), knock: firstKnock}
}

// ask runs one command over a working connection. It reports whether the command was answered, by success or refusal.
// Otherwise its effect is unknown.
func (p *person) ask(do func(*world.Operator) error) (answered bool, err error) {
	p.s.revive()
	if p.o == nil {
		ctx, cancel := context.WithTimeout(context.Background(), p.knock)
		p.o, err = p.s.w.TryOperator(ctx)
		cancel()
		if err != nil {
			if p.o = nil; errors.Is(err, context.DeadlineExceeded) {
				p.knock = min(2*p.knock, patience)
			}
			return false, err
		}
		p.knock = firstKnock
		p.s.connected(p.o)
	}
	err = do(p.o.App(p.app))
	if err == nil || refusal.Of(err) != refusal.IO {
		return true, err
	}
	if vat.Disconnected(err) || errors.Is(err, context.DeadlineExceeded) {
		p.o.Close()
		p.o = nil
	}
	return false, err
}

// until polls the state until it is as wanted, and calls act in between.
func (p *person) until(wanted func(world.State) bool, act func(world.State)) (world.State, error) {
	for time.Now().Before(p.deadline) {
		var now world.State
		answered, err := p.ask(func(o *world.Operator) (err error) { now, err = o.State(); return err })
		switch {
		case !answered || err != nil:
			p.s.w.Clock.Wind(moment)
		case wanted(now):
			return now, nil
		default:
			act(now)
		}
	}
	return world.State{}, errLost
}

// moment is how far a person winds the clock while waiting.
const moment = 4 * time.Millisecond

func (p *person) wait(world.State) { p.s.w.Clock.Wind(moment) }

// stage tries until the set is staged. A refusal ends that.
func (p *person) stage(version string) error {
	var refused error
	_, err := p.until(
		func(s world.State) bool { return refused != nil || holds(s, s.Staged, version) },
		func(s world.State) {
			answered, err := p.ask(func(o *world.Operator) error {
				staged, err := o.Stage(p.s.archives[p.app+version])
				staged.Release()
				return err
			})
			switch refusal.Of(err) {
			case refusal.StageInProgress, refusal.Cancelled, refusal.Stalled: // of a stage that died
				p.s.w.Clock.Wind(moment)
			default:
				if answered {
					refused = err
				}
			}
		})
	return errors.Join(err, refused)
}

// update tries until the set has its verdict: it runs and is confirmed, or it was rolled back.
func (p *person) update(version string) (world.State, error) {
	if err := p.stage(version); err != nil {
		return world.State{}, err
	}
	step := moment
	if natureOf(version) == hangs {
		step = time.Second // its trial ends only at the deadline
	}
	return p.until(
		func(s world.State) bool {
			rolledBack := s.Rollback != "" && !holds(s, s.Staged, version)
			return resting(s) && (holds(s, s.Active, version) || rolledBack)
		},
		func(s world.State) {
			switch {
			case s.Pending != bootctl.None || holds(s, s.Active, version):
				p.s.w.Clock.Wind(step)
			case holds(s, s.Staged, version):
				p.s.beforeSwitch(s)
				p.ask(p.switchTo)
			case s.HealthOK: // the record was kept in memory and is lost
				if s.Rollback == "" {
					p.stage(version)
				}
			default:
				p.s.w.Clock.Wind(moment)
			}
		})
}

func (p *person) switchTo(o *world.Operator) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	staged, err := o.TryStaged(ctx)
	if err != nil {
		return err
	}
	defer staged.Release()
	return p.s.twice(func() error { return o.Switch(staged) })
}

// discard tries until nothing is staged.
func (p *person) discard() error {
	_, err := p.until(
		func(s world.State) bool { return s.Staged == bootctl.None },
		func(world.State) {
			p.ask(func(o *world.Operator) error {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				staged, err := o.TryStaged(ctx)
				if err != nil {
					return err
				}
				defer staged.Release()
				return p.s.twice(func() error { return o.TryDiscard(staged) })
			})
		})
	return err
}

// goBack tries until the factory set runs again.
func (p *person) goBack() error {
	nowhere := false // the previous set never proved healthy: the refusal is final
	_, err := p.until(
		func(s world.State) bool { return resting(s) && (nowhere || holds(s, s.Active, factory)) },
		func(s world.State) {
			if !holds(s, s.Active, factory) {
				_, err := p.ask(func(o *world.Operator) error { return p.s.twice(o.Rollback) })
				nowhere = refusal.Of(err) == refusal.NoPrevious && !p.s.w.Shows("init: health ok (slot a)")
			}
			if s.Rollback == "" && s.HealthOK && s.Active == bootctl.B && p.s.crashes() > 0 {
				p.update(factory) // its health was forgotten with the record, so the factory set is staged again
			}
			p.s.w.Clock.Wind(moment)
		})
	return err
}

// worldSets returns all sets that the world flows need, by version.
func worldSets(t testing.TB) map[string][]byte {
	archives := map[string][]byte{}
	for _, version := range []string{factory, newer, newest, exiting, hanging, nextGood, withCore, exitingWithCore} {
		archives[version] = worldSet(t, version)
	}
	for _, version := range []string{newer, newest, exiting} {
		archives[app+version] = worldApp(t, version)
	}
	return archives
}

// steady is a service that is the same in all sets.
const steady = "steady"

// worldSet returns a set whose service has the version's nature.
func worldSet(t testing.TB, version string) []byte {
	key := updatestest.Key(1)
	bundles := []updatestest.Made{
		serviceOf("hello", version),
		updatestest.Bundle("notes", version, nil, fmt.Appendf(nil, "notes of %s", version), key),
		serviceOf(steady, factory),
	}
	if version == withCore || version == exitingWithCore {
		bundles = append(bundles, updatestest.Bundle(nxs.CoreName, version, nil, world.Program("core "+version), key))
	}
	return updatestest.Archive(t, key, version, bundles...)
}

// serviceOf returns a service with the version's nature.
func serviceOf(name, version string) updatestest.Made {
	program, abilities := "serve "+version, []string{nxb.AbilityService, nxb.AbilityNative}
	switch natureOf(version) {
	case exits:
		program, abilities = "exit 3", abilities[:1]
	case hangs:
		program = "start " + version
	}
	return updatestest.Bundle(name, version, abilities, world.Program(program), updatestest.Key(1))
}
