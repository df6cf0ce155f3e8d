package release

import (
	"os/exec"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	defer func(was string) { version = was }(version)
	for _, c := range []struct{ version, short, line string }{
		{"", "(devel)", "nx (devel): built without a version"},
		{"v1.2.0-rc.1", "v1.2.0-rc.1", "nx v1.2.0-rc.1"},
	} {
		version = c.version
		if Version() != c.short || Line("nx") != c.line {
			t.Errorf("%q: got %q and %q, want %q and %q", c.version, Version(), Line("nx"), c.short, c.line)
		}
	}
}

// debianVersions are in the order in which dpkg must have them.
var debianVersions = []struct{ version, want string }{
	{"", "0~20260102030405"},
	{"v1.2.0-alpha", "1.2.0~alpha"},
	{"v1.2.0-rc.1", "1.2.0~rc.1"},
	{"v1.2.0-rc.1-3-g0123abc", "1.2.0~rc.1+3.g0123abc"},
	{"v1.2.0", "1.2.0"},
	{"v1.2.0-3-g0123abc", "1.2.0+3.g0123abc"},
	{"v1.2.0-3-g0123abc-dirty", "1.2.0+3.g0123abc+dirty"},
	{"v1.2.0-12-g0123abc", "1.2.0+12.g0123abc"},
	{"v1.2.0+b5", "1.2.0+b5"},
	{"v1.2.0-dirty", "1.2.0+dirty"},
	{"v1.10.0", "1.10.0"},
}

func TestDebian(t *testing.T) {
	for _, c := range debianVersions {
		got, err := Debian(c.version, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if err != nil || got != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.version, got, err, c.want)
		}
	}
	for _, version := range []string{"1.2.0", "v1.2", "v1.2.0 ", "v1.2.0-", "g0123abc", "(devel)", "v1.2.0\nv2"} {
		if got, err := Debian(version, time.Time{}); err == nil {
			t.Errorf("%q: got %q, want a refusal", version, got)
		}
	}
}

func TestDebianOrder(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg here to compare with")
	}
	for i := 1; i < len(debianVersions); i++ {
		lower, higher := debianVersions[i-1].want, debianVersions[i].want
		if err := exec.Command(dpkg, "--compare-versions", lower, "lt", higher).Run(); err != nil {
			t.Errorf("dpkg does not order %s before %s: %v", lower, higher, err)
		}
	}
}
