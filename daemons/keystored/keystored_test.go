package keystored_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nexus/capnpgen/keystore"
	"nexus/daemons/keystored"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

func sign(t testing.TB, by trust.Signer, message []byte) []byte {
	t.Helper()
	signature, err := by.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// trusting returns a folder in which these keys are trusted for a role.
func trusting(t testing.TB, dir, role string, signers ...trust.Signer) string {
	t.Helper()
	for _, s := range signers {
		put(t, dir, role+"/"+s.Public().String()+".pub", s.Public().String()+"\n")
	}
	return dir
}

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start runs keystored on a folder. Log records wait until the test provides a sink.
func start(t *testing.T, dir string) *vattest.Daemon {
	t.Helper()
	d := vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return keystored.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
	d.Provide("LogSink", warnings(make(chan string, 64)).client())
	d.Dir("trust", dir)
	d.Dir("roots", t.TempDir())
	return d
}

func verify(t *testing.T, d *vattest.Daemon, role string, message, signature []byte) (publisher []byte, reason string) {
	t.Helper()
	v := keystore.Verifier(d.Client("Verifier", "updated", role))
	answer, release := v.Verify(t.Context(), func(p keystore.Verifier_verify_Params) error {
		if err := p.SetMessage_(message); err != nil {
			return err
		}
		return p.SetSignature(signature)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatalf("cannot verify: %v", err)
	}
	publisher, err = res.Publisher()
	if err != nil {
		t.Fatal(err)
	}
	r, err := res.Refusal()
	if err != nil {
		t.Fatal(err)
	}
	reason, err = r.Reason()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(publisher), reason
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	trusting(t, dir, "system", updatestest.Key(1), updatestest.Key(2))
	trusting(t, dir, "apps", updatestest.Key(3))
	d := start(t, dir)
	message := []byte("raw index bytes")
	naming := append(bytes.Repeat([]byte{0}, 64), publicKey(updatestest.Key(9))...)
	largest := bytes.Repeat([]byte{7}, int(keystore.MaxMessageBytes))
	good := sign(t, updatestest.Key(1), message)
	for _, c := range []struct {
		name      string
		role      string
		message   []byte
		signature []byte
		by        trust.Signer // nil: refused
		reason    refusal.Reason
	}{
		{"first key", "system", message, good, updatestest.Key(1), ""},
		{"second key", "system", message, sign(t, updatestest.Key(2), message), updatestest.Key(2), ""},
		{"key of its own role", "apps", message, sign(t, updatestest.Key(3), message), updatestest.Key(3), ""},
		{"empty message", "system", nil, sign(t, updatestest.Key(1), nil), updatestest.Key(1), ""},
		{"largest message", "system", largest, sign(t, updatestest.Key(1), largest), updatestest.Key(1), ""},
		{"key of another role", "system", message, sign(t, updatestest.Key(3), message), nil, refusal.InvalidSignature},
		{"stranger", "system", message, sign(t, updatestest.Key(9), message), nil, refusal.InvalidSignature},
		{"stranger that the message names", "system", naming, sign(t, updatestest.Key(9), naming), nil,
			refusal.UntrustedPublisher},
		{"other message", "system", []byte("raw index byteS"), good, nil, refusal.InvalidSignature},
		{"flipped bit", "system", message, flipped(good), nil, refusal.InvalidSignature},
		{"no signature", "system", message, nil, nil, refusal.Unsigned},
		{"short signature", "system", message, good[:63], nil, refusal.BadSignatureLength},
		{"long signature", "system", message, append(bytes.Clone(good), 0), nil, refusal.BadSignatureLength},
		{"too large a message", "system", append(largest, 7), sign(t, updatestest.Key(1), append(largest, 7)), nil,
			refusal.IndexTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []byte
			if c.by != nil {
				want = publicKey(c.by)
			}
			publisher, reason := verify(t, d, c.role, c.message, c.signature)
			if !bytes.Equal(publisher, want) || reason != string(c.reason) {
				t.Errorf("publisher %x, reason %q; want %x, %q", publisher, reason, want, c.reason)
			}
		})
	}
}

func publicKey(s trust.Signer) []byte {
	key := s.Public()
	return key[:]
}

func flipped(signature []byte) []byte {
	out := bytes.Clone(signature)
	out[5] ^= 1
	return out
}

// TestVerifierNeedsOneRole checks that a verifier is served for exactly one known role.
func TestVerifierNeedsOneRole(t *testing.T) {
	d := start(t, trusting(t, t.TempDir(), "system", updatestest.Key(1)))
	for _, grants := range [][]string{nil, {""}, {"root"}, {"system", "apps"}} {
		client, err := d.TryClient("Verifier", "updated", grants...)
		if err != nil {
			continue
		}
		answer, release := keystore.Verifier(client).Verify(t.Context(), nil)
		if _, err := answer.Struct(); err == nil {
			t.Errorf("grants %q: a verifier answered", grants)
		}
		release()
	}
}

func TestAnchorsAreListedByRoleThenKey(t *testing.T) {
	dir := t.TempDir()
	trusting(t, dir, "system", updatestest.Key(1), updatestest.Key(2), updatestest.Key(3))
	trusting(t, dir, "apps", updatestest.Key(2))
	got := anchors(t, start(t, dir))
	want := trust.NewAnchors(
		trust.Anchor{Role: trust.RoleSystem, Key: updatestest.Key(1).Public()},
		trust.Anchor{Role: trust.RoleSystem, Key: updatestest.Key(2).Public()},
		trust.Anchor{Role: trust.RoleSystem, Key: updatestest.Key(3).Public()},
		trust.Anchor{Role: trust.RoleApps, Key: updatestest.Key(2).Public()},
	).List()
	if strings.Join(got, "\n") != strings.Join(lines(want), "\n") {
		t.Errorf("got %q, want %q", got, lines(want))
	}
}

func anchors(t *testing.T, d *vattest.Daemon) []string {
	t.Helper()
	answer, release := keystore.TrustAnchors(d.Client("TrustAnchors", "operator")).List(t.Context(), nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		t.Fatal(err)
	}
	list, err := res.Anchors()
	if err != nil {
		t.Fatal(err)
	}
	var found []trust.Anchor
	for i := range list.Len() {
		role, err := list.At(i).Role()
		if err != nil {
			t.Fatal(err)
		}
		key, err := list.At(i).PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, trust.Anchor{Role: trust.Role(role), Key: trust.PublicKey(key)})
	}
	return lines(found)
}

func lines(anchors []trust.Anchor) []string {
	var out []string
	for _, a := range anchors {
		out = append(out, string(a.Role)+" "+a.Key.String())
	}
	return out
}
