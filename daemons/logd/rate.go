package logd

import (
	"context"
	"maps"
	"time"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
)

// A rate is how many records one sender may add: a burst at once, and after it one in each interval. A sender that is
// faster waits for its answers, so it is its own queue that overflows, and its own oldest messages that are dropped.
type rate struct {
	interval time.Duration
	burst    int
}

// rateOf returns the rate for a kind of record. Audit records and crash reports have one of their own: what is kept of
// audit records is shared by all senders.
func rateOf(kind journal.Kind) rate {
	if kind == journal.Kind_message {
		return rate{time.Millisecond, 8192}
	}
	return rate{500 * time.Millisecond, 1024}
}

// maxRates bounds the senders whose rate is known. Any further ones share one rate.
const maxRates = 1024

// rates say when all of a burst is free again, for each rate that is not unused.
type rates map[rated]time.Time

// A rated names what has a rate: the plain messages of a sender, or its other records.
type rated struct {
	sender string
	plain  bool
}

// take takes room for one record from its sender's rate, and returns how long the record has to wait for it.
func (r rates) take(sender string, kind journal.Kind, now time.Time) time.Duration {
	key, rate := r.key(rated{sender, kind == journal.Kind_message}, now), rateOf(kind)
	window := rate.interval * time.Duration(rate.burst)
	free := r[key]
	switch {
	case free.Before(now):
		free = now
	case free.After(now.Add(2 * window)): // the clock was set back
		free = now.Add(window)
	}
	r[key] = free.Add(rate.interval)
	return max(r[key].Sub(now.Add(window)), 0)
}

// key returns the key under which a rate is known. Unused ones are forgotten if there are too many.
func (r rates) key(key rated, now time.Time) rated {
	if _, known := r[key]; known || len(r) < maxRates {
		return key
	}
	maps.DeleteFunc(r, func(_ rated, free time.Time) bool { return !free.After(now) })
	if len(r) >= maxRates {
		key.sender = ""
	}
	return key
}

// admit waits until the entries are within their sender's rate.
func (l *ledger) admit(ctx context.Context, sender string, entries []logclient.Entry) error {
	now, wait := l.clock.Now(), time.Duration(0)
	l.mu.Lock()
	for _, e := range entries {
		wait = max(wait, l.rates.take(sender, e.Kind, now))
	}
	l.mu.Unlock()
	if wait == 0 {
		return nil
	}
	select {
	case <-l.clock.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
