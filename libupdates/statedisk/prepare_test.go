package statedisk

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// The seed decides which sectors of a cache survive a cut.
const seed = 7

// survivals returns the selections of cached sectors to try: none, all, and, if there are more, each half and some at
// random.
func survivals(cached int) []func(int) bool {
	keep := []func(int) bool{func(int) bool { return false }, func(int) bool { return true }}
	if cached < 2 {
		return keep[:cached+1]
	}
	keep = append(keep, func(i int) bool { return i < cached/2 }, func(i int) bool { return i >= cached/2 })
	random := rand.New(rand.NewPCG(seed, uint64(cached)))
	for range 4 {
		picked := random.Perm(cached)
		keep = append(keep, func(i int) bool { return picked[i]%2 == 0 })
	}
	return keep
}

// After a cut at any operation, whatever part of the disk's cache survives, the disk is new or ours, and preparing it
// again makes it the template.
func TestPrepareSurvivesEveryCut(t *testing.T) {
	want := prepared(t, MinSize)
	outcomes := 0
	for n, done := 0, false; !done; n++ {
		cut := blank(MinSize).leaving(n)
		_, err := Prepare(cut, MinSize)
		done = err == nil
		for _, keep := range survivals(len(cut.cache)) {
			outcomes++
			after := cut.after(keep)
			kind, err := Prepare(after, MinSize)
			if err != nil || done && kind != Ours {
				t.Fatalf("cut after operation %d: %v, %v", n, kind, err)
			}
			if !bytes.Equal(after.durable, want.durable) {
				t.Fatalf("cut after operation %d: the disk is not the template", n)
			}
		}
	}
	t.Logf("%d disks after a cut", outcomes)
}

// A disk that an earlier version left half done is finished by this one, whatever is there of the superblock. One that
// it finished stays as it is.
func TestPrepareFinishesWhatAnEarlierVersionBegan(t *testing.T) {
	want, earlier := prepared(t, MinSize), blank(MinSize)
	err := eachBlock(func(offset int64, block []byte) error {
		copy(earlier.durable[offset:], block)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if kind, err := Prepare(earlier.leaving(0), MinSize); kind != Ours || err != nil {
		t.Errorf("a finished disk: %v, %v", kind, err)
	}
	for lost := range 3 { // neither half of the superblock, the first one, the second one
		d := earlier.after(func(int) bool { return false })
		for half := range 2 {
			if lost == 0 || lost-1 == half {
				clear(d.durable[superOffset+half*sector : superOffset+(half+1)*sector])
			}
		}
		if kind, err := Prepare(d, MinSize); kind != New || err != nil || !bytes.Equal(d.durable, want.durable) {
			t.Errorf("lost %d: %v, %v", lost, kind, err)
		}
	}
}

// Nothing is written to a disk that is ours or foreign.
func TestPrepareLeavesOthersAlone(t *testing.T) {
	for name, d := range map[string]*testDisk{"ours": prepared(t, MinSize),
		"a stranger's": holding(MinSize, 0, "\xeb\x3c\x90MSDOS5.0")} {
		kind, err := Prepare(d.leaving(0), MinSize)
		if errors.Is(err, errCut) || err == nil && kind != Ours {
			t.Errorf("%s: got %v, %v", name, kind, err)
		}
	}
}
