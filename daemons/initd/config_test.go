package initd

import (
	"io"
	"testing"
	"time"

	"nexus/libupdates/nxs"
)

func TestParseArgs(t *testing.T) {
	c, err := parseArgs([]string{"--dir", "sys", "--trust", "k1", "--trust", "k2", "--limit-archive", "1024",
		"--settle", "10ms", "--tries", "3"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.Dir != "sys" || len(c.Trust) != 2 || c.Limits.Archive != 1024 ||
		c.Limits.Payload != nxs.DefaultLimits().Payload ||
		c.Policy.SettleTime != 10*time.Millisecond || c.Policy.Tries != 3 || c.Policy.Deadline != 30*time.Second {
		t.Errorf("got %+v", c)
	}
}

func TestParseArgsRefuses(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--dir", "sys", "rest"},
		{"--dir", "sys", "--unknown"},
		{"--dir", "sys", "--limit-archive", "0"},
		{"--dir", "sys", "--limit-archive", "17179869185"},
		{"--dir", "sys", "--limit-payload", "-1"},
		{"--dir", "sys", "--tries", "0"},
		{"--dir", "sys", "--tries", "17"},
		{"--dir", "sys", "--tries", "300"},
		{"--dir", "sys", "--settle", "31s"},
		{"--dir", "sys", "--health-deadline", "0s"},
		{"--dir", "sys", "--floor", "sometimes"},
		{"--dir", "sys", "--hang", "999ms"},
		{"--dir", "sys", "--hang", "61m"},
	} {
		if _, err := parseArgs(args, io.Discard); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
	if _, err := parseArgs([]string{"--dir", "sys", "rest"}, io.Discard); err == nil ||
		err.Error() != `cannot start: unexpected argument "rest"` {
		t.Errorf("got %v", err)
	}
	if _, err := parseArgs([]string{"--dir", "sys", "--limit-archive", "17179869184"}, io.Discard); err != nil {
		t.Errorf("a limit of 16 GiB: %v", err)
	}
}
