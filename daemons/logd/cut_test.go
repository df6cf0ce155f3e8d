package logd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nexus/capnpgen/journal"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/libupdates/audit"
	"nexus/libupdates/durable"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/statefs"
)

// storeKeys are the keys of the journal in a state folder that this process has open itself.
type storeKeys struct{ state *statefs.Prefix }

func openKeys(fs durable.FS) (storeKeys, error) {
	store, err := statefs.Open(fs)
	if err != nil {
		return storeKeys{}, err
	}
	return storeKeys{store.Prefix("journal")}, nil
}

func (k storeKeys) list(context.Context) (keys []string, err error) {
	for more := true; more; {
		after := ""
		if len(keys) > 0 {
			after = keys[len(keys)-1]
		}
		var page []statefs.Entry
		if page, more, err = k.state.List("", after, 0); err != nil {
			return nil, err
		}
		for _, entry := range page {
			keys = append(keys, entry.Key)
		}
	}
	return keys, nil
}

func (k storeKeys) read(_ context.Context, s segment) (content, error) {
	raw, err := k.state.Get(s.key())
	if refusal.Of(err) == refusal.StateDamaged {
		return content{}, errDamaged
	}
	if err != nil {
		return content{}, err
	}
	c, err := decodeSegment(raw)
	if err != nil {
		return content{}, errDamaged
	}
	return c, nil
}

func (k storeKeys) write(_ context.Context, s segment, c content) error {
	raw, err := encodeSegment(c)
	if err == nil {
		err = k.state.Put(s.key(), raw)
	}
	if err != nil {
		return err
	}
	return k.state.Sync()
}

func (k storeKeys) remove(_ context.Context, s segment) error {
	if err := k.state.Delete(s.key()); refusal.Of(err) != refusal.NoSuchKey {
		return err
	}
	return nil
}

func (k storeKeys) sync(context.Context) error { return k.state.Sync() }

// startOf is a ledger that has read the journal on a disk, as logd does when it starts.
func startOf(fs durable.FS, boot string) (*archive, keys, error) {
	state, err := openKeys(fs)
	if err != nil {
		return nil, nil, err
	}
	l := newLedger(plat.RealClock{}, io.Discard)
	l.archive = &archive{ledger: l, bootID: boot}
	return l.archive, state, l.archive.takeUp(context.Background(), state)
}

// A saying is what is logged in one go.
type saying func(*ledger)

// says is a go of n records of one kind, each of so many bytes.
func says(sender string, kind journal.Kind, n, size int) saying {
	return func(l *ledger) {
		for i := range n {
			l.add(sender, []logclient.Entry{{Level: journal.Level_info, Kind: kind,
				Message: fmt.Sprintf("%d %s", i, strings.Repeat("x", size))}}, 0)
		}
	}
}

// run logs each saying and writes it to disk, until the disk refuses.
func run(a *archive, k keys, sayings []saying) error {
	for _, say := range sayings {
		say(a.ledger)
		if _, err := a.flush(context.Background(), k); err != nil {
			return err
		}
	}
	return nil
}

// An acknowledged is what a journal said is on disk.
type acknowledged struct {
	records []record
	head    audit.Head
}

func acknowledgedBy(a *archive) acknowledged {
	return acknowledged{a.ledger.query(filter{durable: true, limit: math.MaxInt}), a.head}
}

// holds checks a disk after a cut: what was acknowledged is there as it was, nothing is damaged, and the chain of audit
// records verifies, against the acknowledged head as well.
func (want acknowledged) holds(fs durable.FS) error {
	a, k, err := startOf(fs, "next")
	if err != nil {
		return err
	}
	found := a.ledger.query(filter{limit: math.MaxInt})
	for _, r := range found {
		if r.entry.Value("reason") == string(refusal.StateDamaged) {
			return errors.New("a segment is damaged")
		}
	}
	for _, r := range want.records {
		at, there := slices.BinarySearchFunc(found, r.sequence, func(f record, sequence uint64) int {
			return cmp.Compare(f.sequence, sequence)
		})
		if !there || !reflect.DeepEqual(found[at], r) {
			return fmt.Errorf("record %d of %s is lost, which was acknowledged", r.sequence, r.sender)
		}
	}
	if err := chainOf(a, want.head); err != nil {
		return err
	}
	// and the journal goes on from there
	if err := run(a, k, []saying{says("updated", journal.Kind_audit, 1, 1)}); err != nil {
		return err
	}
	return chainOf(a, want.head)
}

func chainOf(a *archive, since audit.Head) error {
	var chain []audit.Record
	for _, r := range a.ledger.query(filter{kinds: 1 << journal.Kind_audit, limit: math.MaxInt}) {
		chain = append(chain, r.link())
	}
	ring := a.ledger.ring
	report := audit.Verify(audit.Chain{Records: chain, Oldest: ring.oldest, Head: ring.head}, &since)
	if len(report.Faults) > 0 {
		return fmt.Errorf("the chain does not hold: %v", report.Faults)
	}
	return nil
}

// cutEverywhere cuts the power after each operation of a plan on a disk and checks what is left, in each outcome, or in
// one for each operation, in turn.
func cutEverywhere(t *testing.T, base *durabletest.Disk, plan []saying, everyOutcome bool) {
	t.Helper()
	outcomes := durabletest.Outcomes()
	step := 1
	if testing.Short() {
		step = 7
	}
	done := false
	for n := 0; !done; n += step {
		of := outcomes
		if !everyOutcome {
			of = outcomes[n/step%len(outcomes) : n/step%len(outcomes)+1]
		}
		d := base.Clone()
		a, k, err := startOf(d, "this")
		if err != nil {
			t.Fatal(err)
		}
		d.CutAfter(n)
		done = run(a, k, plan) == nil
		want := acknowledgedBy(a)
		for _, outcome := range of {
			if err := want.holds(d.Reboot(outcome)); err != nil {
				t.Fatalf("cut after operation %d, %s: %v", n, outcome.Name, err)
			}
		}
	}
}

// Records of all shares, in several goes, from an empty disk on.
func TestCutWhileTheJournalGrows(t *testing.T) {
	cutEverywhere(t, durabletest.New(), []saying{
		says("updated", journal.Kind_audit, 2, 100),
		func(l *ledger) {
			says("initd", journal.Kind_message, 3, 10)(l)
			says("updated", journal.Kind_audit, 1, 100)(l)
			says("bundle:web", journal.Kind_message, 2, 10)(l)
			says("execd", journal.Kind_crash, 1, 100)(l)
		},
		says("updated", journal.Kind_audit, 1, 100),
		says("keystored", journal.Kind_audit, 10, 4000), // more than one segment
	}, true)
}

// A share that is full is written anew in fewer segments.
func TestCutWhileAShareIsRewritten(t *testing.T) {
	const record = 4000
	for name, c := range map[string]struct {
		sender string
		kind   journal.Kind
		share  share
	}{
		"of bundles": {"bundle:web", journal.Kind_message, shareBundles},
		"of audit":   {"updated", journal.Kind_audit, shareAudit},
	} {
		t.Run(name, func(t *testing.T) {
			base := durabletest.New()
			a, k, err := startOf(base, "this")
			if err != nil {
				t.Fatal(err)
			}
			for len(a.parts[c.share].segments) < maxSegments(c.share) {
				if err := run(a, k, []saying{says(c.sender, c.kind, segmentBytes/record, record)}); err != nil {
					t.Fatal(err)
				}
			}
			plan := []saying{says(c.sender, c.kind, segmentBytes/record, record),
				says("initd", journal.Kind_message, 1, 10)}
			cutEverywhere(t, base.Clone(), plan, false)
		})
	}
}
