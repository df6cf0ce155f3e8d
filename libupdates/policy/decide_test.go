package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

var anyPort = policy.Machine{FirstPort: 1}

func listen(ports ...int) (texts []string) {
	for _, port := range ports {
		texts = append(texts, fmt.Sprintf("net.listen:tcp/%d", port))
	}
	return texts
}

// The truth table: publisher, bundle, port and limit each decide.
func TestDecide(t *testing.T) {
	own, other := updatestest.Key(1).Public(), updatestest.Key(2).Public()
	text := rule(own.String(), "web.*", `"net.listen:tcp/8000-8009"`, "limit = 2") + // line 1
		rule("*", "dns", `"net.listen:tcp/53", "net.listen:tcp/853"`, "") + // line 6
		rule("*", "web.b", `"net.listen:tcp/8000"`, "") + // line 11
		rule("*", "get", `"net.connect:tcp/400-499", "net.connect:udp/53"`, "") + // line 16
		rule("*", "store*", `"state:8MiB"`, "") + // line 21
		rule("*", "site", `"data:page*", "data:style"`, "limit = 2") // line 26
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const none = "no rule of the policy grants it"
	for name, c := range map[string]struct {
		publisher byte
		bundle    string
		powers    []string
		lines     []int
		why       []string
	}{
		"nothing asked":     {1, "x", nil, nil, nil},
		"granted":           {1, "web.a", listen(8000), []int{1}, []string{""}},
		"both ends":         {1, "web.a", listen(8000, 8009), []int{1, 1}, []string{"", ""}},
		"below and above":   {1, "web.a", listen(7999, 8010), []int{0, 0}, []string{none, none}},
		"another bundle":    {1, "web", listen(8000), []int{0}, []string{none}},
		"another publisher": {2, "web.a", listen(8000), []int{0}, []string{none}},
		"a rule for all":    {2, "dns", listen(853, 53), []int{6, 6}, []string{"", ""}},
		"over the limit": {1, "web.a", listen(8001, 8002, 8003), []int{1, 1, 0}, []string{"", "",
			"the rule at line 1 of the policy grants a bundle 2 of its powers at most"}},
		"the next rule has room":      {1, "web.b", listen(8001, 8002, 8000), []int{1, 1, 11}, []string{"", "", ""}},
		"to connect is not to listen": {1, "dns", []string{"net.connect:tcp/53"}, []int{0}, []string{none}},
		"granted to connect": {1, "get", []string{"net.connect:tcp/443", "net.listen:tcp/443"}, []int{16, 0},
			[]string{"", none}},
		"granted, but not bounded": {1, "get", []string{"net.connect:udp/53"}, []int{0}, []string{
			"no program can be kept to UDP ports: the system uses no kernel's rules on them"}},
		"no power": {1, "web.a", []string{"later:1"}, []int{0}, []string{
			`"later:1" is not a power of this system: ` +
				`it has net.listen:tcp/PORT, net.connect:tcp/PORT, net.connect:udp/PORT, state:SIZE, data:NAME, device:NAME`}},
		"no size": {1, "web.a", []string{"state:1"}, []int{0}, []string{
			`"state:1": "1" is not a size from 1MiB to 16GiB, such as 64MiB`}},
		"state":                        {2, "store", []string{"state:8MiB"}, []int{21}, []string{""}},
		"state over the limit of size": {2, "store", []string{"state:9MiB"}, []int{0}, []string{none}},
		"a second state": {2, "store", []string{"state:8MiB", "state:1MiB"}, []int{21, 0}, []string{"",
			"a bundle has one folder of state"}},
		"data":                 {2, "site", []string{"data:pages", "data:style"}, []int{26, 26}, []string{"", ""}},
		"data by another name": {2, "site", []string{"data:styles", "data:pag"}, []int{0, 0}, []string{none, none}},
		"data over the limit": {2, "site", []string{"data:page-1", "data:page-2", "data:style"}, []int{26, 26, 0},
			[]string{"", "", "the rule at line 26 of the policy grants a bundle 2 of its powers at most"}},
		"data under one variable": {2, "site", []string{"data:page-1", "data:page.1"}, []int{26, 0}, []string{"",
			"NEXUS_DATA_PAGE_1 would be both this and data:page-1"}},
		"two bundles with state": {2, "store.b", []string{"state:8MiB"}, []int{21}, []string{""}},
		"no port": {1, "web.a", []string{"net.listen:tcp/08000"}, []int{0}, []string{
			`"net.listen:tcp/08000": "08000" is not a port from 1 to 65535`}},
		"twice": {1, "web.a", listen(8000, 8000), []int{1, 0}, []string{"", "it is asked for twice"}},
	} {
		publisher := own
		if c.publisher == 2 {
			publisher = other
		}
		all := p.Decide(anyPort, publisher, []policy.Asking{{Bundle: c.bundle, Powers: c.powers}})
		if len(all) != len(c.powers) {
			t.Fatalf("%s: got %+v", name, all)
		}
		granted := true
		for i, d := range all {
			if d.Bundle != c.bundle || d.Power != c.powers[i] || d.Line != c.lines[i] || d.Why != c.why[i] {
				t.Errorf("%s: got %+v, want line %d, %q", name, d, c.lines[i], c.why[i])
			}
			granted = granted && d.Granted()
		}
		if err := policy.Refuse(all); granted != (err == nil) || err != nil && refusal.Of(err) != refusal.PolicyDenied {
			t.Errorf("%s: refused with %v", name, err)
		}
	}
}

func TestNoPolicyGrantsNothing(t *testing.T) {
	all := policy.Policy{}.Decide(anyPort, updatestest.Key(1).Public(),
		[]policy.Asking{{Bundle: "a", Powers: listen(80)},
			{Bundle: "b"}})
	err := policy.Refuse(all)
	want := "a asks for net.listen:tcp/80: the device has no policy that grants it"
	if refusal.Of(err) != refusal.PolicyDenied || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := policy.Refuse(policy.Policy{}.Decide(anyPort, updatestest.Key(1).Public(), nil)); err != nil {
		t.Errorf("a set that asks for nothing: %v", err)
	}
}

func TestPortsOfTheMachine(t *testing.T) {
	p := forAll(t)
	all := p.Decide(policy.Machine{FirstPort: 1024}, updatestest.Key(1).Public(),
		[]policy.Asking{{Bundle: "a", Powers: listen(1023, 1024)}})
	if all[0].Why != "this machine lets the system open ports from 1024 on only" || !all[1].Granted() {
		t.Errorf("got %+v", all)
	}
	all = p.Decide(policy.Machine{Unbounded: "it cannot be bounded"}, updatestest.Key(1).Public(),
		[]policy.Asking{{Bundle: "a", Powers: listen(1024)}})
	if all[0].Why != "it cannot be bounded" || all[0].Line != 0 {
		t.Errorf("on a machine without bounds: got %+v", all)
	}
}

func forAll(t *testing.T) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(rule("*", "*", `"net.listen:tcp/*", "net.connect:tcp/*"`, "")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A port belongs to one bundle of a set, however the policy is.
func TestPortTaken(t *testing.T) {
	key := updatestest.Key(1).Public()
	set := []policy.Asking{{Bundle: "a", Powers: listen(80, 81)}, {Bundle: "b", Powers: listen(82, 81)}}
	err := policy.Refuse(forAll(t).Decide(anyPort, key, set))
	if want := "b asks for net.listen:tcp/81: bundle a asks for the same port"; refusal.Of(err) != refusal.PortTaken ||
		err.Error() != want {
		t.Errorf("got %v", err)
	}
	err = policy.CheckPorts(set)
	if want := "bundles a and b both ask for net.listen:tcp/81"; refusal.Of(err) != refusal.PortTaken ||
		err.Error() != want {
		t.Errorf("packing: got %v", err)
	}
	if err := policy.CheckPorts(set[:1]); err != nil {
		t.Errorf("packing one: got %v", err)
	}
	err = policy.Refuse(policy.Policy{}.Decide(anyPort, key, set))
	if refusal.Of(err) != refusal.PolicyDenied || strings.Count(err.Error(), ";") != 3 {
		t.Errorf("without a policy: got %v", err)
	}
}

// However much is denied, the refusal is a text of bounded size that says how much it leaves out.
func TestRefusalIsBounded(t *testing.T) {
	var set []policy.Asking
	for i := range 256 {
		asking := policy.Asking{Bundle: fmt.Sprintf("bundle%d", i)}
		for j := range 64 {
			asking.Powers = append(asking.Powers, fmt.Sprintf("later.%d:%s", j, strings.Repeat("x", 100)))
		}
		set = append(set, asking)
	}
	err := policy.Refuse(policy.Policy{}.Decide(anyPort, updatestest.Key(1).Public(), set))
	if n := len(err.Error()); n > 9<<10 || !strings.HasSuffix(err.Error(), " more") {
		t.Errorf("the refusal has %d bytes: …%s", n, err.Error()[n-40:])
	}
}

// A bundle gets no more sockets than there may be, and Refuse names all that is too much.
func TestTooManySockets(t *testing.T) {
	var ports []int
	for i := range 1000 {
		ports = append(ports, 1000+i)
	}
	all := forAll(t).Decide(anyPort, updatestest.Key(1).Public(),
		[]policy.Asking{{Bundle: "a", Powers: listen(ports...)}})
	first := slices.IndexFunc(all, func(d policy.Decision) bool { return !d.Granted() })
	last := slices.ContainsFunc(all[16:], func(d policy.Decision) bool { return d.Granted() })
	if first != 16 || last || all[16].Why != "a bundle has at most 16 listening sockets" {
		t.Errorf("the first denial is of number %d: %+v", first, all[first])
	}
}

// Any number of bundles may connect to one port, from ports that the machine keeps for itself as well.
func TestConnect(t *testing.T) {
	p := forAll(t)
	set := []policy.Asking{{Bundle: "a", Powers: []string{"net.connect:tcp/80"}},
		{Bundle: "b", Powers: []string{"net.connect:tcp/80"}}}
	if err := policy.CheckPorts(set); err != nil {
		t.Errorf("got %v", err)
	}
	for want, m := range map[string]policy.Machine{
		"": {FirstPort: 1024, Unbounded: "it cannot listen"}, "it cannot": {FirstPort: 1, Unguided: "it cannot"},
	} {
		for _, d := range p.Decide(m, updatestest.Key(1).Public(), set) {
			if d.Why != want {
				t.Errorf("got %+v, want %q", d, want)
			}
		}
	}
}

func TestReach(t *testing.T) {
	for want, powers := range map[string]string{
		"[]":                    `"net.listen:tcp/80", "net.connect:udp/53"`,
		"[[1 65535]]":           `"net.connect:tcp/443", "net.connect:tcp/*"`,
		"[[80 80] [440 451]]":   `"net.connect:tcp/445-449", "net.connect:tcp/80", "net.connect:tcp/440-450", "net.connect:tcp/451"`,
		"[[80 80] [82 82]]":     `"net.connect:tcp/82", "net.connect:tcp/80"`,
		"[[1 2] [65535 65535]]": `"net.connect:tcp/65535", "net.connect:tcp/2", "net.connect:tcp/1"`,
	} {
		p, err := policy.Parse([]byte(rule("*", "a", powers, "") + rule("*", "b", `"net.connect:tcp/9"`, "limit = 0")))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(p.Reach()); got != want {
			t.Errorf("%s: got %s, want %s", powers, got, want)
		}
	}
}

// A quota that the machine cannot hold is granted only by a rule that says so, and the decision tells.
func TestStateOfTheMachine(t *testing.T) {
	key := updatestest.Key(1).Public()
	asking := []policy.Asking{{Bundle: "a", Powers: []string{"state:1GiB"}}}
	for name, c := range map[string]struct {
		extra     string
		machine   policy.Machine
		why, note string
	}{
		"bounded": {"", anyPort, "", ""},
		"none":    {"", policy.Machine{Stateless: "there is none"}, "there is none", ""},
		"not bounded": {"", policy.Machine{Unlimited: "it has none"},
			"it has none; the rule at line 1 of the policy does not say unlimited = true", ""},
		"not bounded, said": {"unlimited = true", policy.Machine{Unlimited: "it has none"}, "", "it has none"},
		"bounded, said":     {"unlimited = true", anyPort, "", ""},
	} {
		p, err := policy.Parse([]byte(rule("*", "*", `"state:*"`, c.extra)))
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Decide(c.machine, key, asking)[0]; d.Why != c.why || d.Note != c.note ||
			d.Granted() != (c.why == "") {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

// Data is of a bundle of the same set, and that has to be a data bundle.
func TestNoSuchData(t *testing.T) {
	set := []policy.Asking{{Bundle: "web", Powers: []string{"net.listen:tcp/80", "data:pages"}}}
	for name, want := range map[string]string{"pages": "", "page": "no-such-data"} {
		err := policy.CheckData(set, func(bundle string) bool { return bundle == name })
		if string(refusal.Of(err)) != want {
			t.Errorf("with %s: got %v", name, err)
		}
		if err != nil && err.Error() != "web asks for data:pages, and pages is not a data bundle of the set" {
			t.Errorf("got %v", err)
		}
	}
	all := forAll(t).Decide(policy.Machine{Treeless: "it cannot"}, updatestest.Key(1).Public(), set)
	if !all[0].Granted() || all[1].Why != "it cannot" {
		t.Errorf("got %+v", all)
	}
}

// A device is granted by its name, if the policy says which it is and the machine has one there.
func TestDevices(t *testing.T) {
	p, err := policy.Parse([]byte("[[device]]\nname = \"led\"\npath = \"/dev/led0\"\nwrite = true\n" +
		"[[device]]\nname = \"file\"\npath = \"/etc/passwd\"\n" + rule("*", "lamp", `"device:led", "device:f*"`, "")))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Devices["led"]; got != (policy.Device{Path: "/dev/led0", Write: true}) || p.Devices["file"].Write {
		t.Errorf("got %+v", p.Devices)
	}
	machine := policy.Machine{NoDevice: func(path string) string {
		if path == "/dev/led0" {
			return ""
		}
		return path + " is not a device"
	}}
	asking := []policy.Asking{{Bundle: "lamp", Powers: []string{"device:led", "device:file", "device:fan", "device:x"}}}
	for i, want := range []string{"", "/etc/passwd is not a device", "the policy does not say which device that is",
		"no rule of the policy grants it"} {
		d := p.Decide(machine, updatestest.Key(1).Public(), asking)[i]
		if d.Why != want || (d.Line > 0) != (want == "") {
			t.Errorf("got %+v, want %q", d, want)
		}
	}
	if d := p.Decide(policy.Machine{}, updatestest.Key(1).Public(), asking)[1]; !d.Granted() {
		t.Errorf("where nobody has looked: %+v", d)
	}
}

// Apps go down only where a rule for their publisher and each of their names says so.
func TestDown(t *testing.T) {
	key, other := updatestest.Key(1).Public(), updatestest.Key(2).Public()
	text := rule("*", "web", web, "") + rule(key.String(), "mail*", web, "downgrade = true") +
		rule("*", "clock", web, "downgrade = true\nlimit = 0")
	p, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		publisher trust.PublicKey
		bundles   []string
		denied    string
	}{
		"granted":                      {key, []string{"mail"}, ""},
		"granted by name":              {other, []string{"clock"}, ""},
		"all are granted":              {key, []string{"clock", "mail.box"}, ""},
		"another publisher":            {other, []string{"mail"}, "mail"},
		"a rule for powers alone":      {key, []string{"web"}, "web"},
		"one of two":                   {key, []string{"mail", "web"}, "web"},
		"a name that no rule is about": {key, []string{"shell"}, "shell"},
	} {
		var set []policy.Asking
		for _, bundle := range c.bundles {
			set = append(set, policy.Asking{Bundle: bundle})
		}
		switch err := p.Down(c.publisher, set); {
		case c.denied == "" && err != nil:
			t.Errorf("%s: got %v", name, err)
		case c.denied != "" && (refusal.Of(err) != refusal.PolicyDenied || !strings.Contains(err.Error(), c.denied)):
			t.Errorf("%s: got %v, want %s denied", name, err, c.denied)
		}
	}
	if err := (policy.Policy{}).Down(key, []policy.Asking{{Bundle: "mail"}}); refusal.Of(err) != refusal.PolicyDenied {
		t.Errorf("without a policy: got %v, want it denied", err)
	}
}
