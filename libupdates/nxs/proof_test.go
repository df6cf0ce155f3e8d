package nxs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// readBy reads a set to its end with these functions, as a stream.
func readBy(raw []byte, verify nxs.VerifyFunc, roots nxs.RootsFunc) (*nxs.Head, error) {
	r := nxs.NewReader(bytes.NewReader(raw), int64(len(raw)), nxs.DefaultLimits(), verify)
	r.TakeRoots(roots)
	head, err := r.Open()
	for err == nil {
		_, err = r.Next()
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head, err
}

// asking verifies the small set, and asks for this many bytes of signatures.
func asking(asked *[]int, want int) nxs.VerifyFunc {
	return func(_, proof []byte) (trust.PublicKey, error) {
		*asked = append(*asked, len(proof))
		if len(proof) < want {
			return trust.PublicKey{}, refusal.New(refusal.ThresholdNotMet, "one more key must sign")
		}
		return updatestest.Key(1).Public(), nil
	}
}

// A set may have roots before its index, and further signatures behind the first. They are asked for only if the first
// is not enough, and everything else of the set stays as it is.
func TestSignaturesAndRoots(t *testing.T) {
	all := smallEntries(t)
	roots := entry{name: nxs.RootsName, body: []byte("roots")}
	list := func(n int) entry {
		return entry{name: nxs.SignaturesName, body: make([]byte, n*trust.SignatureSize)}
	}
	sized := func(e entry, n int) entry { e.body = make([]byte, n); return e }
	set := func(before, behind []entry) []byte { return pack(slices.Concat(before, all[:2], behind, all[2:])...) }
	none := []entry{}
	for _, c := range []struct {
		name  string
		raw   []byte
		need  int // bytes of signatures
		asked []int
		want  refusal.Reason
	}{
		{"neither", set(none, none), 64, []int{64}, ""},
		{"roots", set([]entry{roots}, none), 64, []int{64}, ""},
		{"a signature more than asked", set(none, []entry{list(1)}), 64, []int{64}, ""},
		{"a signature more, and asked", set(none, []entry{list(1)}), 160, []int{64, 160}, ""},
		{"both", set([]entry{roots}, []entry{list(2)}), 160, []int{64, 256}, ""},
		{"the most", set([]entry{sized(roots, 1<<20)}, []entry{list(64)}), 160, []int{64, nxs.MaxProof}, ""},
		{"one signature short", set(none, none), 160, []int{64}, refusal.ThresholdNotMet},
		{"one signature short of three", set(none, []entry{list(1)}), 256, []int{64, 160}, refusal.ThresholdNotMet},
		{"65 signatures", set(none, []entry{list(65)}), 64, []int{64}, refusal.TooManySignatures},
		{"half a signature", set(none, []entry{sized(list(1), 95)}), 64, []int{64}, refusal.BadSignatures},
		{"an empty list", set(none, []entry{list(0)}), 64, []int{64}, refusal.BadSignatures},
		{"two lists", set(none, []entry{list(1), list(1)}), 64, []int{64}, refusal.DuplicateEntry},
		{"roots twice", set([]entry{roots, roots}, none), 64, nil, refusal.DuplicateEntry},
		{"roots over the limit", set([]entry{sized(roots, 1<<20+1)}, none), 64, nil, refusal.BadRoot},
		{"roots behind the index", pack(slices.Concat(all[:1], []entry{roots}, all[1:])...), 64, nil, refusal.Unsigned},
		{"roots behind the signature", set(none, []entry{roots}), 64, []int{64}, refusal.DuplicateEntry},
		{"a list before the signature", pack(slices.Concat(all[:1], []entry{list(1)}, all[1:])...), 64, nil,
			refusal.Unsigned},
		{"a list at the end", pack(slices.Concat(all, []entry{list(1)})...), 64, []int{64}, refusal.DuplicateEntry},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []int
			head, err := readBy(c.raw, asking(&asked, c.need), nil)
			wantReason(t, err, c.want)
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked about signatures of %v bytes, want %v", asked, c.asked)
			}
			if err != nil {
				return
			}
			var again bytes.Buffer
			if err := nxs.WriteHead(&again, head); err != nil {
				t.Fatal(err)
			}
			size := nxs.HeadSize(head)
			if int64(again.Len()) != size || !bytes.Equal(again.Bytes(), c.raw[:size]) ||
				!bytes.Equal(head.Raw, smallIndex(t)) {
				t.Error("the beginning of the set writes differently")
			}
			f := nxs.NewFile(bytes.NewReader(c.raw), int64(len(c.raw)), nxs.DefaultLimits(), asking(&asked, c.need))
			if same, err := f.Open(); err != nil || !bytes.Equal(same.Proof(), head.Proof()) ||
				!bytes.Equal(same.Roots, head.Roots) {
				t.Errorf("as a file it is another set: %v", err)
			}
		})
	}
}

// Roots are handed over as they are, before anything is asked about the index. What they are refused for, the set is.
func TestRootsComeFirst(t *testing.T) {
	all := smallEntries(t)
	raw := pack(slices.Concat([]entry{{name: nxs.RootsName, body: []byte("roots")}}, all)...)
	var order []string
	verify := func(_, _ []byte) (trust.PublicKey, error) {
		order = append(order, "verify")
		return updatestest.Key(1).Public(), nil
	}
	for _, want := range []error{nil, refusal.New(refusal.RootVersion, "a gap")} {
		order = nil
		_, err := readBy(raw, verify, func(roots []byte) error {
			order = append(order, fmt.Sprintf("take %s", roots))
			return want
		})
		wantReason(t, err, refusal.Of(want))
		expected := []string{"take roots", "verify"}
		if want != nil {
			expected = expected[:1]
		}
		if !slices.Equal(order, expected) {
			t.Errorf("the order is %q", order)
		}
	}
}
