package slots_test

import (
	"bytes"
	"context"
	"testing"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable/durabletest"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// withMore is a set with further signatures behind the first.
func withMore(t *testing.T, raw []byte, by ...byte) []byte {
	t.Helper()
	head, err := reader(raw).Open()
	if err != nil {
		t.Fatal(err)
	}
	after := *head
	var list []trust.Signature
	for _, n := range by {
		signature, err := updatestest.Key(n).Sign(head.Raw)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, trust.Signature{Key: updatestest.Key(n).Public(), Bytes: [64]byte(signature)})
	}
	after.More = trust.EncodeSignatures(list)
	var out bytes.Buffer
	if err := nxs.WriteHead(&out, &after); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), raw[nxs.HeadSize(head):]...)
}

// two verifies the sets of these tests, and wants key 2 to have signed them as well.
func two(message, proof []byte) (trust.PublicKey, error) {
	signature, more, err := trust.SplitProof(proof)
	if err != nil {
		return trust.PublicKey{}, err
	}
	publisher, err := verify(message, signature)
	if err != nil {
		return publisher, err
	}
	_, err = trust.NewTally(message, nil, more).Meet(trust.Threshold{Need: 1, Keys: []trust.PublicKey{
		updatestest.Key(2).Public()}})
	return publisher, err
}

// The further signatures of a set are kept with it: whoever verifies the slot later can ask for as many as whoever
// staged it.
func TestFurtherSignaturesAreKept(t *testing.T) {
	d := durabletest.New()
	s := open(t, d)
	one := archive(t, "1.0.0")
	stageTwo := func(raw []byte) error {
		_, err := s.StageFile(context.Background(), bootctl.A, bytes.NewReader(raw), int64(len(raw)),
			nxs.DefaultLimits(), two, slots.StageOptions{})
		return err
	}
	wantReason(t, stageTwo(one), refusal.ThresholdNotMet)
	wantReason(t, stageTwo(withMore(t, one, 3)), refusal.ThresholdNotMet)
	wantReason(t, stageTwo(withMore(t, one, 2, 3)), "")
	digest := held(s, bootctl.A)
	wantReason(t, open(t, d).Verify(bootctl.A, digest, two), "")
	wantReason(t, s.Verify(bootctl.A, digest, verifyFirst), "")

	wantReason(t, stageTwo(withMore(t, one, 2)), "")
	damage(t, d, "system.sigs.ed25519", flip)
	err := s.Verify(bootctl.A, digest, two)
	if fault, _ := slots.FaultOf(err); err == nil || fault == slots.OfTheSet {
		t.Errorf("a damaged list of signatures: %v is held against the set", err)
	}
	wantReason(t, stageTwo(withMore(t, one, 2, 3)), "") // which writes it anew
	damage(t, d, "system.sigs.ed25519", cut)
	err = s.Verify(bootctl.A, digest, two)
	if fault, _ := slots.FaultOf(err); err == nil || fault != slots.Medium {
		t.Errorf("a list of signatures that was cut: %v", err)
	}
	wantReason(t, stageTwo(withMore(t, one, 2)), "")
	wantReason(t, s.Verify(bootctl.A, digest, two), "")

	damage(t, d, "system.sigs.ed25519", cut)
	mustStage(t, s, bootctl.A, one) // one signature is enough for this one, and it brings no more
	wantReason(t, s.Verify(bootctl.A, digest, verifyFirst), "")
	wantReason(t, s.Verify(bootctl.A, digest, two), refusal.ThresholdNotMet)
}

// A stage that goes on where one of the same set with further signatures was interrupted does not take those over.
func TestFurtherSignaturesAreNotResumed(t *testing.T) {
	raw, payload := long(t)
	s := open(t, diskHolding(t, durabletest.New(), ""))
	more := withMore(t, raw, 2)
	_, err := resume(t, s, more, payload, bytes.Index(more, payload)+2*block+1)
	wantReason(t, err, refusal.Cancelled)
	had, err := resume(t, s, raw, payload, all)
	wantReason(t, err, "")
	if len(had) != 2*block {
		t.Errorf("%d bytes were there, want %d", len(had), 2*block)
	}
	if _, proof, err := s.Signed(bootctl.B); err != nil || len(proof) != nxs.SignatureSize {
		t.Errorf("the slot has %d bytes of signatures (%v), the set %d", len(proof), err, nxs.SignatureSize)
	}
}

// verifyFirst makes do with the first signature.
func verifyFirst(message, proof []byte) (trust.PublicKey, error) {
	signature, _, err := trust.SplitProof(proof)
	if err != nil {
		return trust.PublicKey{}, err
	}
	return verify(message, signature)
}
