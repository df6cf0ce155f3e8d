package plat

import "testing"

func TestMapped(t *testing.T) {
	for table, want := range map[string]bool{
		"         0          0 4294967295\n":            true,
		"         0     100000      65536\n":            false, // what a user is usually lent
		"         0       1000          1\n":            false,
		"0 1000 1\n1 100000 2000000\n":                  true,
		"0 0 1044480\n1044481 1044481 100000\n":         false, // one of them is missing
		"1044480 1044480 69632\n":                       true,
		"1044480 1044480 69631\n":                       false,
		"":                                              false,
		"no table\n":                                    false,
		"0 0 18446744073709551615\n":                    true,
		"18446744073709551615 0 18446744073709551615\n": false,
	} {
		if got := mapped(table, FirstDaemonUser, FirstPayloadUser+payloadUsers); got != want {
			t.Errorf("%q: %v", table, got)
		}
	}
}
