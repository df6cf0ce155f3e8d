package chaos_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// A course is one run: a flow on a kind of device, its faults and cuts, and the disk states found after the cuts. Its
// text replays it.
type course struct {
	flow  string
	kind  kind
	fault fault
	cuts  []cut // in order
}

// A fault is a failing operation. The zero fault is none.
type fault struct {
	name string
	at   int // the number of the operation, counted from the device's first start
}

// A cut ends the power, or updated alone, after a number of operations since the last start.
type cut struct {
	after int
	state string // the disk state that is found, as in durabletest.States, or killed
}

// unseen is the state of a course that ends at the cut, without another start.
const unseen = "unseen"

// killed is the state after the death of updated alone: all operations took effect, and none is more durable than
// before.
const killed = "killed"

// The faults.
const (
	failsOnce = "eio"
	fullOnce  = "enospc"
	failsOn   = "eio-on"    // and on every later change
	fullOn    = "enospc-on" // and on every later change that needs space
)

// arm installs the fault on the device's current disk.
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

// then returns the course with one more cut.
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

// parseCourse parses the output of String.
func parseCourse(text string) (c course, err error) {
	for _, field := range strings.Split(text, ",") {
		name, value, found := strings.Cut(field, "=")
		if !found {
			return c, fmt.Errorf("cannot replay %q: %q is not name=value", text, field)
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
			err = fmt.Errorf("unknown name %q", name)
		}
		if err != nil {
			return c, fmt.Errorf("cannot replay %q: %w", text, err)
		}
	}
	return c, nil
}
