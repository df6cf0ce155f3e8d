package powers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]refusal.Reason{
		"net.listen:tcp/1":     "",
		"net.listen:tcp/8080":  "",
		"net.listen:tcp/65535": "",

		"net.listen:tcp/0":                    refusal.BadPower,
		"net.listen:tcp/65536":                refusal.BadPower,
		"net.listen:tcp/-1":                   refusal.BadPower,
		"net.listen:tcp/+80":                  refusal.BadPower,
		"net.listen:tcp/080":                  refusal.BadPower,
		"net.listen:tcp/ 80":                  refusal.BadPower,
		"net.listen:tcp/80 ":                  refusal.BadPower,
		"net.listen:tcp/80,81":                refusal.BadPower,
		"net.listen:tcp/80-90":                refusal.BadPower,
		"net.listen:tcp/*":                    refusal.BadPower,
		"net.listen:tcp/":                     refusal.BadPower,
		"net.listen:tcp/0x50":                 refusal.BadPower,
		"net.listen:tcp/8_0":                  refusal.BadPower,
		"net.listen:tcp/٨٠":                   refusal.BadPower,
		"net.listen:tcp/18446744073709551617": refusal.BadPower,
		"net.listen:tcp/http":                 refusal.BadPower,
		"net.listen:tcp/80/":                  refusal.BadPower,
		"net.listen:udp/53":                   refusal.UnknownCapability,
		"net.listen:tcp6/80":                  refusal.UnknownCapability,
		"Net.listen:tcp/80":                   refusal.UnknownCapability,
		" net.listen:tcp/80":                  refusal.UnknownCapability,
		"net.listen:80":                       refusal.UnknownCapability,
		"net.connect:tcp/443":                 "",
		"net.connect:udp/53":                  "",
		"net.connect:tcp/0":                   refusal.BadPower,
		"net.connect:udp/65536":               refusal.BadPower,
		"net.connect:tcp/*":                   refusal.BadPower,
		"net.connect:tcp/example.org:443":     refusal.BadPower,
		"net.connect:sctp/1":                  refusal.UnknownCapability,
		"net.connect:443":                     refusal.UnknownCapability,
		"state:1MiB":                          "",
		"state:64MiB":                         "",
		"state:1GiB":                          "",
		"state:16GiB":                         "",
		"state:":                              refusal.BadPower,
		"state:0MiB":                          refusal.BadPower,
		"state:-1MiB":                         refusal.BadPower,
		"state:+1MiB":                         refusal.BadPower,
		"state:01MiB":                         refusal.BadPower,
		"state:1024MiB":                       refusal.BadPower, // it is 1GiB
		"state:17GiB":                         refusal.BadPower,
		"state:16385MiB":                      refusal.BadPower,
		"state:9223372036854775807GiB":        refusal.BadPower,
		"state:1KiB":                          refusal.BadPower,
		"state:64mib":                         refusal.BadPower,
		"state:64":                            refusal.BadPower,
		"state:64 MiB":                        refusal.BadPower,
		"state:1.5GiB":                        refusal.BadPower,
		"state:*":                             refusal.BadPower,
		"State:1MiB":                          refusal.UnknownCapability,
		"data:pages":                          "",
		"data:a.b-c_d":                        "",
		"data:":                               refusal.BadPower,
		"data:*":                              refusal.BadPower,
		"data:Pages":                          refusal.BadPower,
		"data:../pages":                       refusal.BadPower,
		"data:a/b":                            refusal.BadPower,
		"data:" + strings.Repeat("a", 65):     refusal.BadPower,
		"Data:pages":                          refusal.UnknownCapability,
		"device:led":                          "",
		"device:":                             refusal.BadPower,
		"device:/dev/mem":                     refusal.BadPower,
		"device:..":                           refusal.BadPower,
		"device:*":                            refusal.BadPower,
		":":                                   refusal.UnknownCapability,
		"":                                    refusal.UnknownCapability,
		"\x00net.listen:tcp/80":               refusal.UnknownCapability,
		"net.listen:tcp/" + strings.Repeat("9", 128): refusal.BadPower,
	} {
		p, err := powers.Parse(text)
		if got := refusal.Of(err); got != want {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
		if err == nil && p.String() != text {
			t.Errorf("%q is written as %q", text, p)
		}
	}
}

func TestParseAll(t *testing.T) {
	var many, outgoing []string
	for i := range powers.MaxSockets {
		many = append(many, powers.Power{Kind: powers.ListenTCP, Port: uint16(8000 + i)}.String())
		outgoing = append(outgoing, powers.Power{Kind: powers.ConnectTCP, Port: uint16(8000 + i)}.String())
	}
	if all, err := powers.ParseAll(many); err != nil || len(all) != powers.MaxSockets || all[3].Port != 8003 {
		t.Errorf("as many as there may be: got %v, %v", all, err)
	}
	for want, texts := range map[string][]string{
		`"net.listen:tcp/80" is asked for twice`: {"net.listen:tcp/80", "net.listen:tcp/81", "net.listen:tcp/80"},
		`"net.listen:tcp/80" is one too many: a bundle has at most 16 listening sockets`: append(slices.Clone(many),
			"net.listen:tcp/80"),
		`"net.connect:tcp/80" is one too many: a bundle connects to at most 16 ports of a kind`: append(outgoing,
			"net.connect:tcp/80"),
		`"net.listen:tcp/0": "0" is not a port from 1 to 65535`:          {"net.listen:tcp/81", "net.listen:tcp/0"},
		`"state:2MiB" is one too many: a bundle has one folder of state`: {"state:1MiB", "state:2MiB"},
		`"state:1MiB" is asked for twice`: {"state:1MiB", "net.listen:tcp/81",
			"state:1MiB"},
	} {
		all, err := powers.ParseAll(texts)
		if refusal.Of(err) != refusal.BadPower || err.Error() != want || all != nil {
			t.Errorf("got %v, %v, want %s", all, err, want)
		}
	}
}

// A name is never taken for a power, and a power never for a name.
func TestAmong(t *testing.T) {
	got := powers.Among([]string{"BundleMgr", "net.listen:tcp/2", "bundle/*", "later.power:x", "net.listen:tcp/1"})
	if want := []string{"net.listen:tcp/2", "later.power:x", "net.listen:tcp/1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Each text that is accepted is the one form of its power, and each power is accepted in its form.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"net.listen:tcp/80", "net.connect:udp/53", "net.listen:tcp/080", "net.listen:tcp/0",
		"state:1", "x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := powers.Parse(text)
		switch reason := refusal.Of(err); {
		case err == nil && (p.String() != text || (p.Port == 0) == (p.Size == 0) || !powers.IsPower(text)):
			t.Errorf("%q was taken for %q", text, p)
		case err != nil && reason != refusal.BadPower && reason != refusal.UnknownCapability:
			t.Errorf("%q: %q", text, reason)
		case strings.ContainsAny(fmt.Sprint(err), "\n\x00"):
			t.Errorf("%q: %v", text, err)
		}
	})
}
