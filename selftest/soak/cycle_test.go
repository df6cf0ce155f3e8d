package soak

import (
	"errors"
	"fmt"
	"time"

	"nexus/selftest/kit"
	"nexus/selftest/oracle"
)

// A Run is one cycle as it went.
type Run struct {
	Cycle
	Set     *oracle.Set // nil where the flow brings none
	Other   *oracle.Set // what the rival brought
	Cleared bool        // whether its quarantine was ended first
	Before  oracle.State
	Ran     map[string]int // the process of each healthy service before
	After   oracle.State
	Verbs   []*kit.Verb // of the operator
	Second  *kit.Verb   // of the rival
	Hit     string      // what was killed, empty: nobody
	Kills   int         // how often services of the confirmed set were killed so far
	InTime  bool        // whether the moment of the fault came
	Lines   []string
	Struck  time.Time     // when it was killed
	Answer  time.Duration // from then until the system answered again
	Quiet   time.Duration // from the end of the verbs until it was quiet
}

// cycle goes through one plan and returns what was wrong.
func (s *Soak) cycle(c Cycle) (*Run, error) {
	r := &Run{Cycle: c, Before: s.state}
	if err := s.choose(r); err != nil {
		return r, err
	}
	before, err := kit.FingerprintOf(s.at("system"))
	if err != nil {
		return r, err
	}
	if r.Ran, err = s.healthy(); err != nil {
		return r, err
	}
	shown, sequence := s.host.Shown(), s.sequence
	if err := s.act(r); err != nil {
		return r, err
	}
	s.noteKill(r)
	ended := time.Now()
	if r.Target.restarts() {
		if err := errors.Join(s.restart(c), s.answers(r)); err != nil {
			return r, err
		}
	}
	if r.After, err = s.quiet(); err != nil {
		return r, err
	}
	r.Quiet = time.Since(ended)
	r.Lines = s.host.Since(shown)
	s.state = r.After
	if err := s.judge(r); err != nil {
		return r, err
	}
	s.noteConfirmed(r)
	if err := s.check(); err != nil {
		return r, err
	}
	return r, errors.Join(s.goOn(r), s.unchanged(r, before, sequence))
}

// choose picks the sets, and clears a quarantine that the plan does not want.
func (s *Soak) choose(r *Run) error {
	if r.Flow == Rollback {
		return nil
	}
	some := s.sets.Of(r.Fate)
	if r.Flow == Rivals {
		some = s.sets.Of(oracle.Good)
		r.Fate = oracle.Good
		r.Other = some[r.Rival%len(some)]
	}
	r.Set = some[r.Pick%len(some)]
	for _, set := range []*oracle.Set{r.Set, r.Other} {
		if set == nil || !r.Clear || r.Before.Quarantined(set.Digest) == "" {
			continue
		}
		if _, err := s.host.Run("clear", set.Digest); err != nil {
			return err
		}
		r.Cleared, r.Before = true, oracle.State{}
		if err := s.host.Ask(&r.Before, "status"); err != nil {
			return err
		}
	}
	return nil
}

// act runs the operator's verbs, and the fault beside them: at its moment, or after the verb that was the last one.
func (s *Soak) act(r *Run) error {
	events := s.events()
	struck := r.Target == Nobody
	watched := r.Target != Nobody && r.Moment.Event == Progress
	verbs := s.verbs(r)
	for i, args := range verbs {
		verb, err := s.host.Start(watched, args...)
		if err != nil {
			return err
		}
		r.Verbs = append(r.Verbs, verb)
		if i == 0 && r.Other != nil {
			if r.Second, err = s.host.Start(false, "update", "--downgrade", r.Other.File); err != nil {
				return err
			}
		}
		if !struck {
			r.InTime = r.Moment.Await(events(verb), verb.Ended)
			if struck = r.InTime || i == len(verbs)-1 || verb.Ended() && verb.Exit() != 0; struck {
				if err := s.hit(r, verb); err != nil {
					return err
				}
			}
		}
		if <-verb.Done; verb.Exit() != 0 {
			break // the next verb builds on this one
		}
	}
	if r.Second != nil {
		<-r.Second.Done
	}
	return r.hung()
}

// hit strikes, and wants a system that is still there to answer while the verb goes on.
func (s *Soak) hit(r *Run, verb *kit.Verb) error {
	r.Hit, r.Struck = s.strike(r.Cycle, verb), time.Now()
	if r.Hit == "" || r.Target.restarts() {
		return nil
	}
	return s.answers(r)
}

// answers waits until the system answers.
func (s *Soak) answers(r *Run) error {
	err := kit.Within(answerBound, "an answer of the system", func() bool {
		return s.host.Ask(new(oracle.State), "status") == nil
	})
	r.Answer = time.Since(r.Struck)
	return err
}

// verbs is what the operator types.
func (s *Soak) verbs(r *Run) [][]string {
	switch r.Flow {
	case Update, Rivals:
		return [][]string{{"update", "--downgrade", r.Set.File}}
	case Stage:
		return [][]string{{"stage", r.Set.File}}
	case Switch, Discard:
		return [][]string{{"stage", r.Set.File}, {string(r.Flow)}}
	}
	return [][]string{{"rollback"}}
}

// hung refuses verbs that had to be ended.
func (r *Run) hung() error {
	for _, v := range append(r.Verbs, r.Second) {
		if v != nil && v.Exit() < 0 && (r.Hit != "nx" || v == r.Second) {
			return fmt.Errorf("%s", v)
		}
	}
	return nil
}

// log is the cycle in one line.
func (r *Run) log() string {
	text := fmt.Sprintf("cycle %d: %s", r.Number, r.Flow)
	if r.Set != nil {
		text += fmt.Sprintf(" %q (%s)", r.Set.Name, r.Set.Fate)
	}
	if r.Other != nil {
		text += fmt.Sprintf(" against %q", r.Other.Name)
	}
	text += ", " + r.fault()
	if r.Hit != "" {
		text += fmt.Sprintf(": hit %s, in time %t", r.Hit, r.InTime)
	}
	for _, v := range append(r.Verbs, r.Second) {
		if v != nil && v.Ended() {
			text += "\n    " + v.String()
		}
	}
	return text + fmt.Sprintf("\n    active %s %.12s, standby %.12s, boot %d, %d quarantined, quiet after %s",
		r.After.ActiveSlot,
		r.After.Active().Digest(), r.After.Standby().Digest(), r.After.Boot, len(r.After.Quarantine),
		r.Quiet.Round(time.Millisecond))
}
