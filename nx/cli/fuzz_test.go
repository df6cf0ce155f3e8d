package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// asked are the command lines that ask a system for something.
var asked = []string{
	"status", "history", "services", "bundles", "graph", "graph --dot", "graph --svg", "log", "floor",
	"floor lower 1.0.0", "verify",
	"rollback --timeout 1ms", "clear a", "switch", "discard", "stage FILE", "update --timeout 1ms FILE",
	"update --downtime --timeout 1ms FILE",
	"run hello", "revoke --yes a b", "grant a b",
	"trust list", "trust add " + aKey, "trust remove " + aKey, "trust update FILE", "log --losses", "log --follow",
	"log --boot 0 --audit --durable", "log verify", "log verify --since " + aHead, "log head", "crashes", "crashes 7",
	"policy", "policy set FILE", "explain hello", "state list", "state export hello", "state import hello FILE",
	"apps", "install FILE", "upgrade --timeout 1ms FILE", "uninstall a",
	"ls", "ls hello", "cat hello/payload.elf",
	"operators list", "operators revoke " + aKey,
	"rollback --app a --timeout 1ms", "clear --app a b", "discard --app a", "history --app a", "verify --app a",
	"floor --app a", "floor lower --app a none",
	"shutdown", "reboot", "reboot --downtime",
}

// aHead is a head of the chain of audit records.
const aHead = "1:c20613b06203e40a7adfde10fe37ec2bc0b2b840b391476d18214b995ecbdd71"

// aKey is the text of a public key.
const aKey = "nexus-ed25519-public:7cb91871b6eb573f7947fb7e9725b8ea8210a97d335f901812fd3ff3b0f7523a"

// TestEveryVerbIsAsked holds the list against the help: a verb that asks a system for something is in it.
func TestEveryVerbIsAsked(t *testing.T) {
	_, commands, _ := strings.Cut(run(t.Context(), "--help").stdout, "Commands:\n")
	found := 0
	for line := range strings.Lines(commands) {
		verb, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), "  ")
		if verb = strings.TrimSuffix(strings.TrimSpace(verb), " show"); !strings.HasPrefix(line, "  ") ||
			verb == "" || verb == "up" || verb == "completion" {
			continue
		}
		found++
		if !slices.ContainsFunc(asked, func(l string) bool { return strings.HasPrefix(l+" ", verb+" ") }) {
			t.Errorf("%s is not among what is asked", verb)
		}
	}
	if found < 20 {
		t.Errorf("%d verbs in the help: is this the help?", found)
	}
}

// answered runs a command line against a system that answers with whatever is grown out of bytes, and holds what comes
// out against the promises: a status of 0 to 2, nothing on the terminal but what is printable, and with --json one
// value a line.
func answered(t *testing.T, line string, asJSON bool, raw []byte) {
	t.Helper()
	dir := t.TempDir()
	serveAbsurd(t, dir, raw)
	file := filepath.Join(dir, "s.nxs")
	if err := os.WriteFile(file, []byte("no set"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--dir", dir}
	if asJSON {
		args = append(args, "--json")
	}
	args = append(args, strings.Fields(strings.ReplaceAll(line, "FILE", file))...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	got := run(ctx, args...)
	if got.status < 0 || got.status > 2 {
		t.Errorf("%s: status %d", line, got.status)
	}
	for _, out := range []string{got.stdout, got.stderr} {
		bad := func(c rune) bool { return !unicode.IsPrint(c) && c != '\n' && c != '\t' }
		if i := strings.IndexFunc(out, bad); i >= 0 || !utf8.ValidString(out) {
			t.Errorf("%s lets through what is not printable: %q", line, out[max(0, i-20):])
		}
	}
	if !asJSON || strings.Contains(line, "--dot") || strings.Contains(line, "--svg") {
		return
	}
	for _, l := range strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n") {
		if l != "" && !json.Valid([]byte(l)) {
			t.Errorf("%s: no JSON: %q", line, l)
		}
	}
}

// FuzzAnswers lets a system answer anything, over the real RPC, to every verb.
func FuzzAnswers(f *testing.F) {
	for i := range asked {
		f.Add(uint8(i), false, []byte{0})
		f.Add(uint8(i), true,
			[]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x03abcdefghijklmnopqrstuvwxyz0123456789"))
	}
	f.Fuzz(func(t *testing.T, verb uint8, asJSON bool, raw []byte) {
		answered(t, asked[int(verb)%len(asked)], asJSON, raw)
	})
}

// TestAbsentAnswers has every field of every answer absent.
func TestAbsentAnswers(t *testing.T) {
	for _, line := range asked {
		for _, asJSON := range []bool{false, true} {
			answered(t, line, asJSON, nil)
		}
	}
}
