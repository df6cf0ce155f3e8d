package testscripts

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// snapshot keeps what the system's folder holds and what its status says: `snapshot FILE`.
func snapshot(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: snapshot file")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(state(ts)), 0o600))
}

// unchanged wants that folder and status are as in a snapshot: `unchanged FILE`.
func unchanged(ts *testscript.TestScript, _ bool, args []string) {
	was, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if now := state(ts); now != string(was) {
		ts.Fatalf("changed; was:\n%snow:\n%s", was, now)
	}
}

// state is every name, mode and content under the folder's durable part, and the status.
func state(ts *testscript.TestScript) string {
	out, err := durable(ts.Getenv("NX_DIR"))
	ts.Check(err)
	ts.Check(ts.Exec("nx", "status", "--json"))
	var status map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	delete(status, "staging") // whether a stage is under way at this moment
	raw, err := json.MarshalIndent(status, "", "  ")
	ts.Check(err)
	return out + string(raw) + "\n"
}

// durable is every name, mode and content of what a system keeps of its sets and its trust.
func durable(root string) (string, error) {
	var out strings.Builder
	for _, part := range []string{"system", "trust"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			content := ""
			switch {
			case info.Mode().IsRegular():
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				content = fmt.Sprintf("%x", sha256.Sum256(raw))
			case info.Mode()&fs.ModeSymlink != 0:
				if content, err = os.Readlink(path); err != nil {
					return err
				}
			}
			rel, _ := filepath.Rel(root, path)
			fmt.Fprintln(&out, rel, info.Mode(), content)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return out.String(), nil
}
