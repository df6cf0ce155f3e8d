package guard_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEachReasonIsExplained holds the page that says what each refusal stands against, and the list of reasons,
// together.
func TestEachReasonIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../../docs/architecture/rpc-guard.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("reason.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`Reason = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 30 {
		t.Fatalf("found %d reasons in reason.go", len(reasons))
	}
	for _, r := range reasons {
		if got := strings.Count(string(page), "`"+r[1]+"`"); got != 1 {
			t.Errorf("the page names %s %d times, want once", r[1], got)
		}
	}
}
