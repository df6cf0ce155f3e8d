package chaos_test

import (
	"fmt"

	"nexus/libupdates/refusal"
)

// A flow is what operators do, step by step, to a device that runs its factory set. A step that fails because of a
// fault of the disk is repeated once, as a person would; one that is refused is not.
type flow struct {
	name  string
	steps func() []step
}

// A step is one command, or the work of PID 1.
type step func(*device) error

// flows returns all flows.
func flows() []flow {
	list := []flow{
		{"stage", steps(stages(newer))},
		{"discard", steps(stages(newer), discards, stages(newest), discards)},
		{"switch", steps(stages(newer), switches)},
		{"commit", steps(stages(newer), switches, settles, stages(newest), switches, settles)},
		{"rollback by tries", steps(stages(exiting), switches, settles)},
		{"rollback by tries of a deadly set", steps(stages(deadly), switches, settles)},
		{"rollback by deadline", steps(stages(hanging), switches, settles)},
		{"rollback by operator", steps(stages(newer), switches, settles, rollsBack, settles)},
		{"rollback by operator during a trial", steps(stages(newer), switches, attempts, rollsBack, settles)},
		{"rollback under watch", steps(watched, stages(newer), switches, settles, attempts, attempts, settles)},
		{"stage under watch", steps(watched, stages(newer), switches, settles, stages(newest), attempts, attempts,
			settles, switches, settles)},
		{"switch under watch", steps(watched, stages(newer), switches, settles, stages(hanging), switches, settles)},
		{"rollback with a staged set", steps(watched, stages(newer), switches, settles, stages(newest), rollsBack,
			settles,
			switches, settles)},
		{"the set before staged again", steps(watched, stages(newer), switches, settles, stages(factory), rollsBack,
			settles)},
		{"a watch that holds", steps(watched, stages(newer), switches, settles, held, stages(newest), switches, settles,
			stages(newer))},
		{"quarantine", steps(stages(hanging), switches, settles, stages(hanging), clears(hanging), stages(hanging))},
		{"hindered", steps(stages(hindered), switches, settles, stages(hindered), switches, settles, stages(newer),
			switches, settles)},
		{"restage over a staged slot", steps(stages(newer), stages(newest), switches, settles)},
		{"restage the same set", steps(stages(newer), stages(newer), switches, settles)},
		{"the active set again", steps(stages(factory), switches, settles, stages(newer), switches, settles)},
		{"damaged sets", steps(stages(newer), offers(badSignature, refusal.InvalidSignature),
			offers(badPayload, refusal.DigestMismatch),
			offers(cutShort, refusal.Truncated), offers(badTail, refusal.BadArchive), switches, settles)},
	}
	return append(list, twoOperators()...)
}

// steps returns a function that makes new steps for each run. The steps of one operator share what that operator holds.
func steps(make ...func(*operator) step) func() []step {
	return func() []step {
		var o operator
		var list []step
		for _, m := range make {
			list = append(list, m(&o))
		}
		return list
	}
}

// An operator holds the capability for at most one stage.
type operator struct {
	serial uint64
	began  bool
}

func stages(version string) func(*operator) step {
	return func(o *operator) step {
		return func(d *device) error {
			serial, err := d.stage(version)
			if err == nil {
				o.serial = serial
			}
			return err
		}
	}
}

func switches(o *operator) step { return func(d *device) error { return d.switchTo(o.serial) } }
func discards(o *operator) step { return func(d *device) error { return d.discard(o.serial) } }
func settles(*operator) step    { return (*device).settle }
func rollsBack(*operator) step  { return (*device).rollback }

// watched makes PID 1 watch what it confirms from now on.
func watched(*operator) step {
	return func(d *device) error {
		d.watches = true
		return nil
	}
}

func held(*operator) step { return (*device).hold }

// attempts begins one attempt that gets no verdict.
func attempts(*operator) step { return (*device).attemptOnly }

func clears(version string) func(*operator) step {
	return func(*operator) step { return func(d *device) error { return d.clear(version) } }
}

func offers(what string, why refusal.Reason) func(*operator) step {
	return func(*operator) step { return func(d *device) error { return d.offer(what, why) } }
}

// twoNames is the prefix of the names of flows with two operators.
const twoNames = "two operators"

// twoOperators returns all orders in which the commands of two operators can reach a device. One stages and switches,
// the other stages and discards; each stage takes two steps.
func twoOperators() []flow {
	var list []flow
	for _, order := range interleavings("111", "222") {
		list = append(list, flow{fmt.Sprintf("%s %s", twoNames, order), func() []step {
			var first, second operator
			todo := map[rune][]step{
				'1': {begins(&first, newer), receives(&first, newer), switches(&first)},
				'2': {begins(&second, newest), receives(&second, newest), discards(&second)},
			}
			var list []step
			for _, who := range order {
				list = append(list, todo[who][0])
				todo[who] = todo[who][1:]
			}
			return append(list, (*device).settle)
		}})
	}
	return list
}

// interleavings returns all ways to merge two texts.
func interleavings(a, b string) []string {
	if a == "" || b == "" {
		return []string{a + b}
	}
	var list []string
	for _, rest := range interleavings(a[1:], b) {
		list = append(list, a[:1]+rest)
	}
	for _, rest := range interleavings(a, b[1:]) {
		list = append(list, b[:1]+rest)
	}
	return list
}

func begins(o *operator, version string) step {
	return func(d *device) error {
		err := d.begin(version)
		o.began = err == nil
		return err
	}
}

// receives sends the set, if there is a sink for it.
func receives(o *operator, version string) step {
	return func(d *device) error {
		if !o.began {
			return nil
		}
		o.began = false
		serial, err := d.receive(version, staging(version))
		if err == nil {
			o.serial = serial
		}
		return err
	}
}
