package refusal_test

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"nexus/libupdates/refusal"
)

func TestOf(t *testing.T) {
	refused := refusal.New(refusal.DigestMismatch, "digest mismatch in %s", "alpha/payload.elf")
	wrapped := fmt.Errorf("cannot stage into slot b: %w", refused)
	for _, c := range []struct {
		err    error
		reason refusal.Reason
	}{
		{nil, ""},
		{refused, refusal.DigestMismatch},
		{wrapped, refusal.DigestMismatch},
		{errors.New("disk on fire"), refusal.IO},
	} {
		if got := refusal.Of(c.err); got != c.reason {
			t.Errorf("reason of %v is %q, want %q", c.err, got, c.reason)
		}
	}
	if got := refusal.DetailOf(wrapped); got != "digest mismatch in alpha/payload.elf" {
		t.Errorf("detail is %q", got)
	}
	if got := refusal.DetailOf(errors.New("disk on fire")); got != "disk on fire" {
		t.Errorf("detail is %q", got)
	}
}

// TestEveryReasonIsDocumented compares docs/refusals.md with the code, both ways.
func TestEveryReasonIsDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../docs/refusals.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		code := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		meaning := cmp.Or(spec.Comment.Text(), spec.Doc.Text())
		row := fmt.Sprintf("| `%s` | %s |", code, strings.TrimSpace(meaning))
		if codes[code] {
			t.Errorf("%s is declared twice", code)
		}
		codes[code] = true
		if !strings.Contains(doc, row) {
			t.Errorf("docs/refusals.md lacks the row\n%s", row)
		}
		return true
	})
	for line := range strings.Lines(doc) {
		if code, ok := strings.CutPrefix(line, "| `"); ok {
			code, _, _ = strings.Cut(code, "`")
			if !codes[code] {
				t.Errorf("docs/refusals.md has %s, the code has not", code)
			}
		}
	}
}
