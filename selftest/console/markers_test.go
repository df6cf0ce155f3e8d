package console_test

import (
	"slices"
	"testing"

	"nexus/selftest/console"
)

// climb returns the markers that are missing after these lines.
func climb(lines []string) (missing []string, err error) {
	missing = console.OTA()
	for _, line := range lines {
		if missing, err = console.Climb(missing, line); err != nil {
			return missing, err
		}
	}
	return missing, nil
}

func TestAllMarkers(t *testing.T) {
	var lines []string
	for _, marker := range console.OTA() {
		lines = append(lines, "updated: audit op=stage result=ok", marker, "anything else")
	}
	if missing, err := climb(lines); err != nil || len(missing) > 0 {
		t.Fatalf("got %v, missing %q", err, missing)
	}
}

func TestRefusesAnyOtherOrder(t *testing.T) {
	good := console.OTA()
	for i := range good {
		if i+1 < len(good) && good[i] != good[i+1] {
			swapped := slices.Clone(good)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			if _, err := climb(swapped); err == nil {
				t.Errorf("markers %d and %d swapped: accepted", i, i+1)
			}
		}
		if missing, err := climb(slices.Delete(slices.Clone(good), i, i+1)); err == nil && len(missing) == 0 {
			t.Errorf("marker %d missing: accepted", i)
		}
	}
	for _, more := range []string{"SELFTEST: ota stage ok", "SELFTEST: ota failed"} {
		if _, err := climb(append(slices.Clone(good), more)); err == nil {
			t.Errorf("%s after the last one: accepted", more)
		}
	}
	if _, err := climb([]string{"SELFTEST: ota failed"}); err == nil {
		t.Error("failure marker: accepted")
	}
}
