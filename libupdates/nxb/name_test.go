package nxb_test

import (
	"strings"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

func TestCheckName(t *testing.T) {
	good := []string{"a", "0", "alpha", "alpha.app", "a-b_c.d", "9lives", strings.Repeat("a", 64)}
	bad := []string{
		"", strings.Repeat("a", 65), "A", "a b", "a/b", "a\\b", "a\x00b", "ä", ".a", "a.", "-a", "a-", "_a", "a_",
		"a..b", "..", ".", "a\n", "a%",
	}
	for _, name := range good {
		if err := nxb.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range bad {
		if err := nxb.CheckName(name); refusal.Of(err) != refusal.BadBundleName {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	good := []string{
		"0.0.0", "1.2.3", "10.20.30", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0.3.7", "1.0.0-x-y-z.--",
		"1.0.0+20130313144700",
		"1.0.0-beta+exp.sha.5114f85", "1.0.0+001", "18446744073709551616.0.0", "1.0.0-18446744073709551616", "1.0.0-" +
			strings.Repeat("a", 58),
	}
	bad := []string{
		"", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b",
		"1.2.3-ä",
		" 1.2.3", "1.2.3 ", "1.2.3\n", "-1.2.3", "1.2.x", "1.2.3+a+b", "1.0.0-" + strings.Repeat("a", 59), "1.2.3\x00",
	}
	for _, version := range good {
		if err := nxb.CheckVersion(version); err != nil {
			t.Errorf("%q: %v", version, err)
		}
	}
	for _, version := range bad {
		if err := nxb.CheckVersion(version); refusal.Of(err) != refusal.BadVersion {
			t.Errorf("%q: got %v", version, err)
		}
	}
}
