package cli

import (
	"context"
	"fmt"
	"time"

	"capnproto.org/go/capnp/v3/exc"
)

// A watchdog is the device that restarts the machine when the system hangs.
type watchdog struct {
	On        bool   `json:"on"`
	Name      string `json:"name"`
	TimeoutMs uint32 `json:"timeoutMs"`
	Proven    bool   `json:"proven"` // it was seen to restart the machine
	Detail    string `json:"detail"`
}

// readWatchdog returns the machine's watchdog; nil if the system has no machine of its own, or is too old to say.
func readWatchdog(ctx context.Context, f *facets) (*watchdog, error) {
	answer, release := f.operator.Watchdog(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if exc.IsType(err, exc.Unimplemented) {
		return nil, nil
	}
	if err != nil || !res.HasWatchdog() {
		return nil, err
	}
	m, err := res.Watchdog()
	var r reader
	r.Note(err)
	w := &watchdog{
		On: m.On(), Name: r.Text(m.Name()), TimeoutMs: m.TimeoutMs(), Proven: m.Proven(), Detail: r.Text(m.Detail()),
	}
	return w, r.Err
}

// rows returns the lines of `nx status` about it.
func (w *watchdog) rows() [][]string {
	switch {
	case w == nil:
		return nil
	case w.On:
		seen := "not yet seen to work"
		if w.Proven {
			seen = "seen to work"
		}
		return [][]string{{"watchdog", fmt.Sprintf("%s, after %v, %s", w.Name,
			time.Duration(w.TimeoutMs)*time.Millisecond, seen)}}
	default:
		return [][]string{{"watchdog", "none: " + w.Detail}}
	}
}
