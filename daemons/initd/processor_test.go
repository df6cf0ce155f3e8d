package initd

import (
	"testing"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/health"
)

// A handClock goes on only when it is told to.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time                       { return c.now }
func (c *handClock) After(time.Duration) <-chan time.Time { return nil }

// A service that never got to run, or had to wait, is not healthy for the time that it stood in line.
func TestProcessor(t *testing.T) {
	const settle = time.Second
	type look struct {
		after time.Duration
		turn  plat.Turn
		want  health.State
	}
	asleep := func(waited time.Duration) plat.Turn { return plat.Turn{Ran: time.Millisecond, Waited: waited} }
	awake := func(ran, waited time.Duration) plat.Turn { return plat.Turn{Ran: ran, Waited: waited, Runnable: true} }
	for name, looks := range map[string][]look{
		"it sleeps, and was let run": {{0, asleep(settle / 10), health.Healthy}},
		"it waits": {
			{0, awake(1, 0), health.Starting}, {time.Hour, awake(1, 0), health.Starting},
			{time.Second, awake(2, 0), health.Healthy}},
		"it is busy": {{0, awake(1, 0), health.Starting}, {time.Millisecond, awake(2, 0), health.Healthy}},
		"it had to wait": {
			{0, asleep(settle / 2), health.Starting}, {settle / 4, asleep(settle / 2), health.Starting},
			{settle / 4, asleep(settle / 2), health.Healthy}},
		"it had to wait for very long": {
			{0, asleep(time.Hour), health.Starting}, {settle - 1, asleep(time.Hour), health.Starting},
			{1, asleep(time.Hour), health.Healthy}},
		"it has run, and waits later": {{0, asleep(0), health.Healthy}, {time.Second, awake(1, 9), health.Healthy}},
	} {
		t.Run(name, func(t *testing.T) {
			clock, now := &handClock{time.Unix(0, 0)}, plat.Turn{}
			waits := processor{clock: clock, settle: settle, of: func(int) (plat.Turn, bool) { return now, true }}
			for i, l := range looks {
				clock.now, now = clock.now.Add(l.after), l.turn
				services := []health.Watched{{Service: health.Service{State: health.Healthy}}}
				if waits.prove(services, []int{7}); services[0].State != l.want {
					t.Errorf("look %d: %v, want %v", i+1, services[0].State, l.want)
				}
			}
		})
	}
}

// What is not known, and what is not a plain healthy service, stays as it was said.
func TestProcessorOfOthers(t *testing.T) {
	waits := func(int) (plat.Turn, bool) { return plat.Turn{Runnable: true, Waited: time.Hour}, true }
	unknown := func(int) (plat.Turn, bool) { return plat.Turn{}, false }
	for name, c := range map[string]struct {
		of  func(int) (plat.Turn, bool)
		pid int
		is  health.Service
	}{
		"nothing is known":     {nil, 7, health.Service{State: health.Healthy}},
		"the kernel is silent": {unknown, 7, health.Service{State: health.Healthy}},
		"it has no process":    {waits, 0, health.Service{State: health.Healthy}},
		"it is asked":          {waits, 7, health.Service{State: health.Healthy, Native: true}},
		"it has exited":        {waits, 7, health.Service{State: health.Exited, Detail: "exit code 1"}},
		"it starts":            {waits, 7, health.Service{State: health.Starting}},
	} {
		services := []health.Watched{{Service: c.is}}
		waits := processor{clock: &handClock{}, settle: time.Second, of: c.of}
		if waits.prove(services, []int{c.pid}); services[0].Service != c.is {
			t.Errorf("%s: %+v", name, services[0])
		}
	}
}

// Another process of the same service is looked at anew.
func TestProcessorOfTheNext(t *testing.T) {
	now := plat.Turn{}
	waits := processor{clock: &handClock{}, settle: time.Second, of: func(int) (plat.Turn, bool) { return now, true }}
	prove := func(pid int) health.State {
		services := []health.Watched{{Service: health.Service{State: health.Healthy}}}
		waits.prove(services, []int{pid})
		return services[0].State
	}
	first := prove(7)
	now = plat.Turn{Runnable: true}
	if second := prove(8); first != health.Healthy || second != health.Starting || len(waits.seen) != 1 {
		t.Errorf("got %v and %v, and remembers %d", first, second, len(waits.seen))
	}
}
