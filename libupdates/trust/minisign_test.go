package trust_test

import (
	"strings"
	"testing"

	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

const minisigns = "testdata/minisign/"

// Keys and signatures of minisign and signify work where the signature is over the raw bytes.
func TestMinisign(t *testing.T) {
	message := []byte("bytes to sign")
	for _, tool := range []string{"minisign", "signify"} {
		key, err := trust.ReadPublicKey(minisigns + tool + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if same, err := trust.ParsePublicKey(read(t, minisigns+tool+".pub")); err != nil || same != key {
			t.Errorf("%s: the text is another key than the file: %s, %v", tool, same, err)
		}
		signature, is, err := trust.ParseMinisign(read(t, minisigns+tool+".raw"))
		if !is || err != nil || !key.Signed(message, signature) {
			t.Errorf("%s: its signature is %x, %t, %v", tool, signature, is, err)
		}
	}
	signature, is, err := trust.ParseMinisign(read(t, minisigns+"minisign.hashed"))
	if wantReason(t, err, refusal.InvalidSignature); !is || signature != nil {
		t.Errorf("a signature over a digest is %x, %t", signature, is)
	}
}

func TestMinisignRefuses(t *testing.T) {
	good := string(read(t, minisigns+"minisign.pub"))
	raw := string(read(t, minisigns+"minisign.raw"))
	comment, line, _ := strings.Cut(good, "\n")
	for name, text := range map[string]string{
		"a signature":         raw,
		"a comment alone":     comment,
		"two comments":        comment + "\n" + good,
		"a short line":        comment + "\n" + line[:20] + "\n",
		"another algorithm":   comment + "\n" + "Q" + line[1:],
		"a line that is text": comment + "\nkey\n",
		"a key of minisign":   string(read(t, minisigns+"minisign.key")),
		"a key of signify":    string(read(t, minisigns+"signify.key")),
	} {
		key, err := trust.ParsePublicKey([]byte(text))
		if got := refusal.Of(err); got != refusal.BadKey || key != (trust.PublicKey{}) {
			t.Errorf("%s: got %s, %q (%v)", name, key, got, err)
		}
		if shown := trust.Shown(text); strings.Contains(shown, "untrusted") {
			t.Errorf("%s: a message would show %q", name, shown)
		}
		_, is, _ := trust.ParseMinisign([]byte(text))
		if want := text == raw; is != want {
			t.Errorf("%s: it is taken for a signature", name)
		}
	}
}
