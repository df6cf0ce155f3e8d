package health

import (
	"fmt"
	"time"
)

// Policy says how much patience a device has.
type Policy struct {
	SettleTime time.Duration // how long a plain service must run to count as healthy; 0 to MaxDeadline, below Deadline
	Deadline   time.Duration // how long an attempt may wait for its verdict; more than 0, at most MaxDeadline
	Tries      uint8         // attempts a switched-to slot gets; 1 to MaxTries
	// how long a set that was just confirmed may still fail for good; 0 (not at all) to MaxDeadline
	Watch time.Duration
	// how long a daemon may leave a question whether it is alive without an answer; 0 (for ever) or MinHang to
	// MaxDeadline
	Hang time.Duration
}

// Bounds of a policy.
const (
	MaxDeadline = time.Hour
	MaxTries    = 16
	MinHang     = time.Second // below it a busy machine would pass for a hung daemon
)

// DefaultPolicy is one second to settle, thirty seconds for the verdict, two tries, a minute under watch, and ten
// seconds for a heartbeat.
func DefaultPolicy() Policy {
	return Policy{SettleTime: time.Second, Deadline: 30 * time.Second, Tries: 2, Watch: time.Minute,
		Hang: 10 * time.Second}
}

// Check refuses a policy outside its bounds: with none of these would every trial come to an end.
func (p Policy) Check() error {
	switch {
	case p.Deadline <= 0 || p.Deadline > MaxDeadline:
		return fmt.Errorf("cannot use deadline %v: not above 0 and at most %v", p.Deadline, MaxDeadline)
	case p.SettleTime < 0 || p.SettleTime >= p.Deadline:
		return fmt.Errorf("cannot use settle time %v: not from 0 to below the deadline %v", p.SettleTime, p.Deadline)
	case p.Tries < 1 || p.Tries > MaxTries:
		return fmt.Errorf("cannot use %d tries: not from 1 to %d", p.Tries, MaxTries)
	case p.Watch < 0 || p.Watch > MaxDeadline:
		return fmt.Errorf("cannot watch for %v: not from 0 to %v", p.Watch, MaxDeadline)
	case p.Hang != 0 && (p.Hang < MinHang || p.Hang > MaxDeadline):
		return fmt.Errorf("cannot take %v without an answer for hung: not 0 and not from %v to %v", p.Hang, MinHang,
			MaxDeadline)
	}
	return nil
}

// With combines the policy of a device with what a set asks for, to the stricter of both: the shorter deadline, the
// longer watch. Zero asks for nothing. A set whose deadline is below the device's settle time is a set that no plain
// service of it can make healthy.
func (p Policy) With(deadline, watch time.Duration) Policy {
	if deadline > 0 {
		p.Deadline = min(p.Deadline, deadline)
	}
	p.Watch = max(p.Watch, watch)
	return p
}
