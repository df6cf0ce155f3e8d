package kit

import "testing"

// Must ends a test if a harness itself fails. What it finds wrong with a system is an error or a list of them instead.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
