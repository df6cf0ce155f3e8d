package chaos_test

import (
	"slices"
	"strings"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/refusal"
)

// tries is the number of attempts for a set that was switched to.
const tries = bootctl.DefaultTries

// A belief is the state of a device as derived from all commands and answers by someone who knows the rules but not the
// code. It is comparable.
type belief struct {
	active    string // the version that last proved healthy
	other     string // the version in the other slot; empty for none
	otherGood bool   // whether that one proved healthy there
	trial     bool   // whether that one is on trial
	staged    string // the version that waits for its switch; empty for none
	tries     uint8
	watch     uint8  // attempts that the active set may begin while it is watched; 0: not watched
	serial    uint64 // of the last stage
	barred    string // the versions in quarantine, oldest first, each followed by a comma
}

func (b belief) bars(version string) bool { return strings.Contains(b.barred, version+",") }

// A rule returns the effect of a command on a state: the state afterwards, those possible in between, or the reason of
// the refusal.
type rule func(belief) (after belief, between []belief, refused refusal.Reason)

func staging(version string) rule {
	return func(b belief) (belief, []belief, refusal.Reason) {
		switch {
		case b.trial:
			return b, nil, refusal.TrialInProgress
		case b.active == version:
			return b, nil, refusal.AlreadyActive
		case b.bars(version):
			return b, nil, refusal.Quarantined
		}
		half := b // the set has taken the place of the one before, but the record does not say so yet
		if half.staged != version {
			half.staged = ""
		}
		b.staged = version
		b.serial++
		return b, []belief{half}, ""
	}
}

// refusing is the rule of a command that is always refused.
func refusing(why refusal.Reason) rule {
	return func(b belief) (belief, []belief, refusal.Reason) { return b, nil, why }
}

func switching(serial uint64) rule {
	return func(b belief) (belief, []belief, refusal.Reason) {
		if b.staged == "" || b.serial != serial {
			return b, nil, refusal.Stale
		}
		b.other, b.otherGood, b.staged = b.staged, false, ""
		b.trial, b.tries = true, tries
		return b.unwatched(), nil, ""
	}
}

func discarding(serial uint64) rule {
	return func(b belief) (belief, []belief, refusal.Reason) {
		if b.staged == "" || b.serial != serial {
			return b, nil, refusal.Stale
		}
		b.staged = ""
		return b, nil, ""
	}
}

func attempting(b belief) (belief, []belief, refusal.Reason) {
	switch {
	case b.trial && b.tries == 0:
		return b.ended(), nil, ""
	case b.trial:
		b.tries--
	case b.watch == 1 && b.canReturn():
		return b.returned(), nil, ""
	case b.watch > 0:
		b.watch--
	}
	return b, nil, ""
}

// committing is the rule of a good verdict. With watch, the set that was on trial is then watched.
func committing(watch bool) rule {
	return func(b belief) (belief, []belief, refusal.Reason) {
		left := b.watch
		if b.trial {
			b.active, b.other, b.otherGood = b.other, b.active, true
			b.trial, b.tries = false, 0
			left = tries
		}
		b.watch = 0
		if watch && b.canReturn() {
			b.watch = left
		}
		return b, nil, ""
	}
}

// holding is the rule for the end of a watch.
func holding(b belief) (belief, []belief, refusal.Reason) { return b.unwatched(), nil, "" }

func (b belief) unwatched() belief {
	b.watch = 0
	return b
}

// canReturn reports whether the other slot holds a different set that has proved healthy.
func (b belief) canReturn() bool {
	return !b.trial && b.other != "" && b.otherGood && b.other != b.active && !b.bars(b.other)
}

// returned is the state after a return to the other slot.
func (b belief) returned() belief {
	b.active, b.other, b.watch = b.other, b.active, 0
	if b.staged == b.active {
		b.staged = ""
	}
	return b.barring(b.other)
}

func failing(why refusal.Reason) rule {
	return func(b belief) (belief, []belief, refusal.Reason) {
		barred := b.barred
		switch {
		case b.trial && (b.tries == 0 || final(why)):
			b = b.ended()
		case b.watch > 0 && b.canReturn():
			b = b.returned()
		default:
			return b.unwatched(), nil, ""
		}
		if blameless(why) {
			b.barred = barred
		}
		return b, nil, ""
	}
}

// final reports whether a failure for that reason ends a trial though it has tries left.
func final(why refusal.Reason) bool {
	return slices.Contains([]refusal.Reason{refusal.HealthTimeout, refusal.Hindered, refusal.Revoked}, why)
}

// blameless reports whether something else than the set was the cause.
func blameless(why refusal.Reason) bool {
	return slices.Contains([]refusal.Reason{refusal.CoreNotReady, refusal.Hindered, refusal.Revoked}, why)
}

func returning(b belief) (belief, []belief, refusal.Reason) {
	switch {
	case b.trial:
		return b.ended(), nil, ""
	case !b.canReturn():
		return b, nil, refusal.NoPrevious
	}
	return b.returned(), nil, ""
}

func clearing(version string) rule {
	return func(b belief) (belief, []belief, refusal.Reason) {
		if !b.bars(version) {
			return b, nil, refusal.NotQuarantined
		}
		b.barred = strings.Replace(b.barred, version+",", "", 1)
		return b, nil, ""
	}
}

// ended is the state after a failed trial.
func (b belief) ended() belief {
	b.trial, b.tries = false, 0
	return b.barring(b.other)
}

func (b belief) barring(version string) belief {
	b.barred = strings.Replace(b.barred, version+",", "", 1) + version + ","
	return b
}

// forgotten is the state after a power cut if the record is kept in memory.
func (b belief) forgotten() belief {
	return belief{active: b.active, other: b.other}
}

// beliefs are all states that may be true.
type beliefs []belief

func (s beliefs) with(more ...belief) beliefs {
	s = slices.Clone(s)
	for _, b := range more {
		if !slices.Contains(s, b) {
			s = append(s, b)
		}
	}
	return s
}

// follow returns the states that are possible after the command has completed, those possible if it is unknown how far
// it got, and the possible refusals.
func (s beliefs) follow(r rule) (done, open beliefs, refusals []refusal.Reason) {
	open = s
	for _, b := range s {
		after, between, refused := r(b)
		if refused != "" {
			refusals = append(refusals, refused)
			continue
		}
		done = done.with(after)
		open = open.with(between...).with(after)
	}
	return done, open, refusals
}
