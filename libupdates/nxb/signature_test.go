package nxb_test

import (
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Outside a set, a bundle is verified by its own signature, only with the key that it names.
func TestCheckSignature(t *testing.T) {
	own, other := trust.NewSigner([32]byte{1}), trust.NewSigner([32]byte{2})
	payload := []byte("payload")
	signature, err := own.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	both := []trust.PublicKey{other.Public(), own.Public()}
	for _, c := range []struct {
		name      string
		publisher [16]byte
		signature []byte
		keys      []trust.PublicKey
		payload   string
		want      refusal.Reason
	}{
		{"its own", own.Public().ID(), signature, both, "payload", ""},
		{"another payload", own.Public().ID(), signature, both, "payloac", refusal.InvalidSignature},
		{"zeros", own.Public().ID(), make([]byte, 64), both, "payload", refusal.InvalidSignature},
		{"another key's name", other.Public().ID(), signature, both, "payload", refusal.InvalidSignature},
		{"a key that is not there", own.Public().ID(), signature, both[:1], "payload", refusal.UntrustedPublisher},
		{"no key", own.Public().ID(), signature, nil, "payload", refusal.UntrustedPublisher},
		{"a signature without a name", [16]byte{}, signature, both, "payload", refusal.UntrustedPublisher},
		{"none", [16]byte{}, make([]byte, 64), both, "payload", refusal.Unsigned},
	} {
		m := nxb.Manifest{Name: "a", Publisher: c.publisher, Signature: c.signature}
		check, err := m.CheckSignature(c.keys)
		if err == nil {
			check.Write([]byte(c.payload)[:3])
			check.Write([]byte(c.payload)[3:])
			if !check.Passed() {
				err = m.NotSigned()
			}
		}
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
