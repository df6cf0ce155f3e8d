package initd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program that needs a loader would be killed before its first word: it is refused by name.
func TestTheBinaryMustBeStatic(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("there is no C compiler to make a dynamic program with: ", err)
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.c"), filepath.Join(dir, "dynamic")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cc", "-o", program, source).CombinedOutput(); err != nil {
		t.Skipf("the C compiler makes no program: %v: %s", err, out)
	}
	err := checkStatic(program)
	if err == nil || !strings.Contains(err.Error(), program+" needs a loader") ||
		!strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("got %v", err)
	}
	if err := checkStatic(source); err != nil {
		t.Errorf("what is no dynamic program: %v", err)
	}
}
