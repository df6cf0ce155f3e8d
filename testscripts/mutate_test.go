package testscripts

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// Where things stand in an archive: a header block, then the index, then the signature's header and its 64 bytes.
const block = 512

// mutate writes a damaged copy of a set: `mutate HOW FROM TO`.
func mutate(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: mutate how from to")
	}
	raw, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	damaged, err := damage(args[0], raw)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), damaged, 0o600))
}

// damage does one thing to an archive.
func damage(how string, raw []byte) ([]byte, error) {
	out := bytes.Clone(raw)
	signature := bytes.Index(out, []byte("system.sig.ed25519\x00")) + block
	payload := bytes.Index(out, []byte("/payload."))
	if signature < block || payload < 0 {
		return nil, fmt.Errorf("cannot damage: this is not a system set")
	}
	payload = payload/block*block + block
	switch how {
	case "signature":
		out[signature] ^= 1
	case "index":
		out[block+64] ^= 1
	case "payload":
		out[payload+1000] ^= 1
	case "last-payload":
		end := bytes.TrimRight(out, "\x00")
		out[len(end)-1] ^= 1
	case "truncated":
		out = out[:len(out)/2]
	case "trailing":
		out = append(out, "more"...)
	case "unsigned":
		start := signature - block
		out = append(out[:start], out[start+2*block:]...)
	default:
		return nil, fmt.Errorf("cannot damage: no way named %q", how)
	}
	return out, nil
}

// flip turns the middle bit of a file, behind everybody's back: `flip FILE`.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: flip file")
	}
	name := ts.MkAbs(args[0])
	raw, err := os.ReadFile(name)
	ts.Check(err)
	raw[len(raw)/2] ^= 1
	ts.Check(os.Chmod(name, 0o644))
	ts.Check(os.WriteFile(name, raw, 0o644))
}

// rot changes a byte in the middle of every file of a folder: `rot DIR`.
func rot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: rot dir")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		file := filepath.Join(ts.MkAbs(args[0]), e.Name())
		raw, err := os.ReadFile(file)
		ts.Check(err)
		raw[len(raw)/2] ^= 1
		ts.Check(os.WriteFile(file, raw, 0o600))
	}
}
