package chaos_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// A course is one run: a flow on a kind of device, what disturbs it, and what is found afterwards. Its text replays it.
type course struct {
	flow  string
	kind  kind
	fault fault
	cuts  []cut // one after the other
}

// A fault is a failing operation; the zero fault is none.
type fault struct {
	name string
	at   int // the number of the operation, from the start of the device
}

// A cut ends the power, or the life of updated, after so many operations of one life of the machine.
type cut struct {
	after int
	state string // what the disk shows: see durabletest.States; or killed
}

// unseen is the state where a course ends at the cut: nothing is started again.
const unseen = "unseen"

// killed is what is found when updated alone died: all that was issued, nothing of it more durable than before.
const killed = "killed"

// The faults.
const (
	failsOnce = "eio"
	fullOnce  = "enospc"
	failsOn   = "eio-on"    // and every change after it
	fullOn    = "enospc-on" // and every change after it that needs space
)

// arm makes the fault happen on the disk that the device is on.
func (f fault) arm(d *device) {
	n := f.at - d.past
	if f.name == "" || n < 1 {
		return
	}
	switch f.name {
	case failsOnce:
		d.disk.FailAt(n, syscall.EIO)
	case fullOnce:
		d.disk.FailAt(n, syscall.ENOSPC)
	case failsOn:
		d.disk.FailFrom(n, syscall.EIO)
	case fullOn:
		d.disk.FailFrom(n, syscall.ENOSPC)
	}
}

// then is the course that goes on with another cut.
func (c course) then(next cut) course {
	c.cuts = append(append([]cut{}, c.cuts...), next)
	return c
}

func (c course) String() string {
	text := fmt.Sprintf("flow=%s,device=%s", c.flow, c.kind)
	if c.fault.name != "" {
		text += fmt.Sprintf(",fault=%s:%d", c.fault.name, c.fault.at)
	}
	for _, cut := range c.cuts {
		text += fmt.Sprintf(",cut=%d,outcome=%s", cut.after, cut.state)
	}
	return text
}

// parseCourse reads what String wrote.
func parseCourse(text string) (c course, err error) {
	for _, field := range strings.Split(text, ",") {
		name, value, found := strings.Cut(field, "=")
		if !found {
			return c, fmt.Errorf("cannot replay %q: %q is no name=value", text, field)
		}
		switch name {
		case "flow":
			c.flow = value
		case "device":
			c.kind = kind(value)
		case "fault":
			at := ""
			c.fault.name, at, _ = strings.Cut(value, ":")
			c.fault.at, err = strconv.Atoi(at)
		case "cut":
			var after int
			after, err = strconv.Atoi(value)
			c.cuts = append(c.cuts, cut{after: after})
		case "outcome":
			if len(c.cuts) == 0 {
				return c, fmt.Errorf("cannot replay %q: an outcome without a cut", text)
			}
			c.cuts[len(c.cuts)-1].state = value
		default:
			err = fmt.Errorf("there is no %q", name)
		}
		if err != nil {
			return c, fmt.Errorf("cannot replay %q: %w", text, err)
		}
	}
	return c, nil
}
