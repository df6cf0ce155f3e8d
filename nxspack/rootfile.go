package nxspack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"nexus/libupdates/refusal"
	"nexus/libupdates/roots"
	"nexus/libupdates/trust"
)

// rootVerbs make root documents. Each step can be made on another machine, by another person, with another key: what
// is handed on is the file.
type rootVerbs struct {
	Init         rootInitVerb      `cmd:"" help:"Start a chain: write root 1."`
	AddKey       rootAddKeyVerb    `cmd:"" help:"Give a key a role."`
	RemoveKey    rootRemoveKeyVerb `cmd:"" help:"Take a role from a key. What it signed stays as it is: use revoke for a key that was stolen."`
	SetThreshold rootThresholdVerb `cmd:"" help:"Set how many different keys of a role must sign."`
	SetNames     rootNamesVerb     `cmd:"" help:"Set which bundles or channels a role is for."`
	SetValidity  rootValidityVerb  `cmd:"" help:"Set until when a role counts for new sets, for some names or for all."`
	Revoke       rootRevokeVerb    `cmd:"" help:"Revoke a key for good, or a set."`
	Renew        rootRenewVerb     `cmd:"" help:"Set when the root expires, or minimum versions."`
	Sign         rootSignVerb      `cmd:"" help:"Sign a root."`
	Prepare      rootPrepareVerb   `cmd:"" help:"Write the bytes of a root that must be signed, for a key on another machine."`
	Attach       rootAttachVerb    `cmd:"" help:"Add a signature over the output of prepare."`
	Merge        rootMergeVerb     `cmd:"" help:"Join the signatures of copies of one root."`
	Inspect      rootInspectVerb   `cmd:"" help:"Show what a root says. Does not check whether to trust it."`
	Diff         rootDiffVerb      `cmd:"" help:"Show the differences between two roots."`
	VerifyChain  rootVerifyVerb    `cmd:"" help:"Check a chain of roots as a device that trusts the first one does."`
}

// readRoots reads a file of roots. None of them is verified.
func readRoots(name string) ([]roots.Signed, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, roots.MaxChain+1))
	if err != nil {
		return nil, err
	}
	return roots.Split(raw)
}

// A draft is a root and its file.
type draft struct {
	roots.Root
	signed roots.Signed
}

// readRoot reads a file with one root, whose maker need not be trusted: an operator asks to see or change it. The
// refusals name the file.
func readRoot(name string) (draft, error) {
	chain, err := readRoots(name)
	if err == nil && len(chain) != 1 {
		err = refusal.New(refusal.BadRoot, "it has %d roots, want one", len(chain))
	}
	if err != nil {
		return draft{}, cannot("read", name, err)
	}
	root, err := roots.Parse(chain[0].Document)
	if err == nil && root.Version != chain[0].Version {
		err = refusal.New(refusal.BadRoot, "the file says version %d, the document %d", chain[0].Version, root.Version)
	}
	return draft{root, chain[0]}, cannot("read", name, err)
}

// successor is what an edit of the root changes: a root that nobody has signed yet is changed itself, any other is
// followed by its next version.
func (d draft) successor() roots.Root {
	next := d.Root
	if len(d.signed.Signatures) > 0 {
		next.Version++
		next.ResetsTime = false
	}
	return next
}

// writeRoot writes a root with its signatures.
func (c *command) writeRoot(name string, s roots.Signed) error {
	return c.publishFile(name, func(f *os.File) error {
		_, err := f.Write(s.Encode())
		return err
	})
}

// A moment is a time on the command line: RFC 3339, a date, or milliseconds since 1970 UTC.
type moment uint64

// UnmarshalText parses a time.
func (m *moment) UnmarshalText(text []byte) error {
	if ms, err := strconv.ParseUint(string(text), 10, 63); err == nil {
		*m = moment(ms)
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, string(text)); err == nil && at.UnixMilli() > 0 {
			*m = moment(at.UnixMilli())
			return nil
		}
	}
	return errors.New("want a date, a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970 UTC")
}

// orNow returns the time, or the present one where none is given.
func (m moment) orNow() uint64 {
	if m == 0 {
		return uint64(time.Now().UnixMilli())
	}
	return uint64(m)
}

// An until is a moment, or never, which is 0.
type until uint64

// UnmarshalText parses a time.
func (u *until) UnmarshalText(text []byte) error {
	if string(text) == "never" {
		*u = 0
		return nil
	}
	return (*moment)(u).UnmarshalText(text)
}

// timeText returns a time in milliseconds since 1970 UTC as text.
func timeText(ms uint64) string {
	const year9999 = 253402300799999 // the last one that RFC 3339 can express
	switch {
	case ms == 0:
		return "never"
	case ms > year9999:
		return strconv.FormatUint(ms, 10)
	}
	return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339)
}

// signatureStates returns who signed, and whether they did.
func signatureStates(s roots.Signed) []signatureState {
	states := []signatureState{}
	for _, signature := range s.Signatures {
		states = append(states, signatureState{signature.Key.String(),
			signature.Key.Signed(s.Document, signature.Bytes[:])})
	}
	return states
}

type signatureState struct {
	Key   string `json:"key"`
	Valid bool   `json:"valid"`
}

// missing says which signatures the root still needs by its own rule, or "".
func (d draft) missing() string {
	grant := d.Of(trust.RoleRoot)[0]
	have := 0
	for _, s := range d.signed.Signatures {
		for _, key := range grant.Keys {
			if s.Key == key && key.Signed(d.signed.Document, s.Bytes[:]) {
				have++
			}
		}
	}
	if have >= grant.Threshold {
		return ""
	}
	return fmt.Sprintf("%d of its %d root keys must sign, and %d did", grant.Threshold, len(grant.Keys), have)
}

// strangers returns a note on each signature that is not a root key's: it may have been made with the wrong key.
func (d draft) strangers() (notes []string) {
	counts := "for nothing"
	if d.Version > 1 {
		counts = fmt.Sprintf("only if it is one of root %d", d.Version-1)
	}
	for _, s := range d.signed.Signatures {
		if !slices.Contains(d.Of(trust.RoleRoot)[0].Keys, s.Key) {
			notes = append(notes, fmt.Sprintf("%s is not a root key of root %d: its signature counts %s", s.Key,
				d.Version, counts))
		}
	}
	return notes
}

// rootAnswer is the JSON answer of what writes a root.
type rootAnswer struct {
	File       string           `json:"file"`
	Version    uint64           `json:"version"`
	Family     string           `json:"family"`
	SHA256     string           `json:"sha256"`
	Signatures []signatureState `json:"signatures"`
	Missing    string           `json:"missing"` // what the root's own threshold lacks, or empty
	noted
}

// answerRoot says what was written.
func (c *command) answerRoot(name string, d draft) error {
	a := rootAnswer{name, d.Version, d.Family, d.signed.Digest().String(), signatureStates(d.signed), d.missing(),
		c.note(d.strangers())}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: root %d of %s, %s\nsha256: %s\n", show(name), a.Version, a.Family,
		count(len(a.Signatures), "signature"), a.SHA256)
	if a.Missing != "" {
		fmt.Fprintf(&text, "missing: %s\n", a.Missing)
	}
	return c.answer(a, text.String())
}
