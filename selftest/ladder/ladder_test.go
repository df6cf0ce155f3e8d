package ladder_test

import (
	"slices"
	"testing"

	"nexus/selftest/ladder"
)

func climb(t *testing.T, lines []string) (*ladder.Climber, error) {
	t.Helper()
	c := ladder.New(ladder.OTA())
	for _, line := range lines {
		if err := c.Line(line); err != nil {
			return c, err
		}
	}
	return c, nil
}

func TestWholeLadder(t *testing.T) {
	var console []string
	for _, rung := range ladder.OTA() {
		console = append(console, "updated: audit op=stage result=ok", rung+"\r\n", "anything else")
	}
	c, err := climb(t, console)
	if err != nil || !c.Done() || c.Missing() != "" {
		t.Fatalf("got %v, done %v, missing %q", err, c.Done(), c.Missing())
	}
}

func TestRefusesAnyOtherOrder(t *testing.T) {
	good := ladder.OTA()
	for i := range good {
		if i+1 < len(good) && good[i] != good[i+1] {
			swapped := slices.Clone(good)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			if _, err := climb(t, swapped); err == nil {
				t.Errorf("markers %d and %d swapped: accepted", i, i+1)
			}
		}
		left := slices.Delete(slices.Clone(good), i, i+1)
		c, err := climb(t, left)
		if err == nil && c.Done() {
			t.Errorf("marker %d missing: accepted", i)
		}
	}
	if _, err := climb(t, append(slices.Clone(good), "SELFTEST: ota stage ok")); err == nil {
		t.Error("marker after the last one: accepted")
	}
	if _, err := climb(t, []string{"SELFTEST: ota failed"}); err == nil {
		t.Error("failure marker: accepted")
	}
}
