package nxs

import (
	"fmt"
	"time"

	"nexus/capnpgen/systemset"
)

// Health is the health policy that a publisher sets for trials of the set (HealthPolicy in schema/systemset.capnp). The
// zero value leaves everything to the device's policy.
type Health struct {
	Deadline time.Duration // time limit for the verdict on an attempt; 0, or MinDeadline to MaxDeadline
	Watch    time.Duration // how long the set is watched after the commit; 0 to MaxDeadline
	Quorum   int           // optional services that must be healthy; 0 to the number of optional bundles
}

// Bounds of Health. Both durations are in whole milliseconds.
const (
	MinDeadline = time.Second
	MaxDeadline = time.Hour // also for the policy of a device
)

// Check refuses a policy that is out of bounds for a set of these bundles: its trial could never end, or its quorum
// never be reached.
func (h Health) Check(bundles []Entry) error {
	optional := 0
	for _, e := range bundles {
		if e.Optional {
			optional++
		}
	}
	switch {
	case h.Deadline != 0 && (h.Deadline < MinDeadline || h.Deadline > MaxDeadline):
		return fmt.Errorf("a deadline of %v is not from %v to %v", h.Deadline, MinDeadline, MaxDeadline)
	case h.Watch < 0 || h.Watch > MaxDeadline:
		return fmt.Errorf("a watch of %v is not from 0s to %v", h.Watch, MaxDeadline)
	case h.Deadline%time.Millisecond != 0 || h.Watch%time.Millisecond != 0:
		return fmt.Errorf("a deadline of %v and a watch of %v are not whole milliseconds", h.Deadline, h.Watch)
	case h.Quorum < 0 || h.Quorum > optional:
		return fmt.Errorf("a quorum of %d is not from 0 to the number of optional bundles, %d", h.Quorum, optional)
	}
	return nil
}

func (h Health) fill(m systemset.HealthPolicy) {
	m.SetDeadlineMs(uint32(h.Deadline / time.Millisecond))
	m.SetWatchMs(uint32(h.Watch / time.Millisecond))
	m.SetQuorum(uint16(h.Quorum))
}

// readHealth reads the policy of a set of these bundles. A null policy gives the zero value.
func readHealth(m systemset.HealthPolicy, bundles []Entry) (Health, error) {
	h := Health{
		Deadline: time.Duration(m.DeadlineMs()) * time.Millisecond,
		Watch:    time.Duration(m.WatchMs()) * time.Millisecond,
		Quorum:   int(m.Quorum()),
	}
	if err := h.Check(bundles); err != nil {
		return Health{}, badIndex(err)
	}
	return h, nil
}
