package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updatestest"
)

// rule is the text of a rule.
func rule(publisher, bundle, powers, more string) string {
	return fmt.Sprintf("[[allow]]\npublisher = %q\nbundle = %q\npowers = [%s]\n%s\n", publisher, bundle, powers, more)
}

// device is the text of a device.
func device(name, path, more string) string {
	return fmt.Sprintf("[[device]]\nname = %q\npath = %q\n%s\n", name, path, more)
}

const web = `"net.listen:tcp/8080"`

func TestParse(t *testing.T) {
	key := updatestest.Key(1).Public().String()
	for name, c := range map[string]struct{ text, says string }{
		"nothing":        {"", ""},
		"a comment":      {"# [[allow]]\n", ""},
		"a rule for all": {rule("*", "*", web, ""), ""},
		"a rule": {rule(key, "web.app", web+`, "net.listen:tcp/8000-8999", "net.listen:tcp/*"`,
			"limit = 2"), ""},
		"a commented header":  {strings.Replace(rule("*", "*", web, ""), "]]", "]] # pages", 1), ""},
		"as many as possible": {strings.Repeat(rule("*", "*", web, ""), policy.MaxRules), ""},

		"no TOML":                  {"\n[[allow] ]\n", "line 2: "},
		"another table":            {"[allow]\n", ""},
		"an unknown key":           {"deny = []\n", `line 1: unknown key "deny"`},
		"an unknown rule key":      {rule("*", "*", web, "port = 1"), `line 5: unknown key "allow.port"`},
		"an unknown key in quotes": {rule("*", "*", web, "\"por t\"=1"), `line 5: unknown key "allow.\"por t\""`},
		"a misspelt rule":          {"# [[alow]]\n [[ alow ]]\nbundle = \"*\"\n", `line 2: unknown key "alow"`},
		"an unknown table":         {rule("*", "*", web, "") + "[later]\n", `line 6: unknown key "later"`},
		"an unknown dotted key":    {rule("*", "*", web, "port.tcp = 1"), `line 5: unknown key "allow.port`},
		"an unknown key nowhere": {`allow = [{publisher="*",port=1}]` + "\n",
			`line 1: unknown key "allow.port"`},
		"a wrong type": {"[[allow]]\npublisher = 1\n", "line 2 "},
		"no publisher": {"\n[[allow]]\n", "line 2: publisher is missing"},
		"no bundle":    {"[[allow]]\npublisher = \"*\"\n", "line 1: bundle is missing"},
		"no powers": {"\n\n[[allow]]\npublisher = \"*\"\nbundle = \"*\"\n",
			"line 3: powers is missing, or empty"},
		"going down alone": {"[[allow]]\npublisher = \"*\"\nbundle = \"web\"\ndowngrade = true\n", ""},
		"staying alone": {"[[allow]]\npublisher = \"*\"\nbundle = \"web\"\ndowngrade = false\n",
			"line 1: powers is missing, or empty"},
		"going down, but how": {rule("*", "*", web, `downgrade = "yes"`), "line"},
		"no key":              {rule("abc", "*", web, ""), "line 1: publisher: "},
		"a weak key":          {rule(strings.Repeat("0", 64), "*", web, ""), "line 1: publisher: "},
		"no bundle's name":    {rule("*", "Web", web, ""), `line 1: bundle: "Web" is neither`},
		"a * inside":          {rule("*", "w*b", web, ""), "line 1: bundle: "},
		"two *":               {rule("*", "w**", web, ""), "line 1: bundle: "},
		"port 0":              {rule("*", "*", `"net.listen:tcp/0"`, ""), `line 1: powers: "0" is not a port`},
		"port 65536": {rule("*", "*", `"net.listen:tcp/1-65536"`, ""),
			`line 1: powers: "65536" is not a port`},
		"a negative port": {rule("*", "*", `"net.listen:tcp/-1"`, ""), `line 1: powers: "" is not a port`},
		"an empty range": {rule("*", "*", `"net.listen:tcp/9-8"`, ""),
			`line 1: powers: "9-8" is a range without a port`},
		"another power": {rule("*", "*", `"later:64MiB"`, ""),
			`line 1: powers: "later:64MiB" is not a power`},
		"a size that is none": {rule("*", "*", `"state:64"`, ""),
			`line 1: powers: "64" is not a size from 1MiB to 16GiB`},
		"a range of sizes": {rule("*", "*", `"state:1MiB-2MiB"`, ""),
			`line 1: powers: "1MiB-2MiB" is not a size`},
		"unlimited, but how":        {rule("*", "*", `"state:*"`, `unlimited = "yes"`), "line"},
		"data of no bundle":         {rule("*", "*", `"data:Pages"`, ""), `line 1: powers: "Pages" is neither`},
		"devices":                   {device("led", "/dev/led0", "write = true") + device("a", "/dev/a", ""), ""},
		"a device that has no name": {device("", "/dev/led0", ""), `line 1: name: "" is not a device's name`},
		"a device twice": {device("a", "/dev/a", "") + device("a", "/dev/b", ""),
			"line 5: there is a device a already"},
		"a device that is nowhere": {device("a", "", ""), `line 1: path: "" is not the absolute path`},
		"a relative device":        {device("a", "dev/a", ""), `line 1: path: "dev/a" is not the absolute path`},
		"a device up": {device("a", "/dev/../a", ""),
			`line 1: path: "/dev/../a" is not the absolute path`},
		"a device with more": {device("a", "/dev/a", "mode = 1"), `line 4: unknown key "device.mode"`},
		"too many devices":   {strings.Repeat(device("a", "/dev/a", ""), 65), "65 devices, want at most 64"},
		"a facet":            {rule("*", "*", `"BundleMgr"`, ""), "line 1: powers: "},
		"a negative limit":   {rule("*", "*", web, "limit = -1"), "line 1: limit: -1 is not 0 to 16"},
		"a limit of 17":      {rule("*", "*", web, "limit = 17"), "line 1: limit: 17 is not 0 to 16"},
		"the second rule":    {rule("*", "*", web, "") + rule("*", "", web, ""), "line 6: bundle is missing"},
		"an inline table": {`allow = [{publisher="*",bundle="*",powers=["net.listen:tcp/1"]}]`,
			"on a line of its own"},
		"too many": {strings.Repeat(rule("*", "*", web, ""), policy.MaxRules+1),
			"257 rules, want at most 256"},
		"too long": {"#" + strings.Repeat("x", policy.MaxText), "more than 262144 bytes"},
		"no UTF-8": {"# \xff\n", "line 1: "},
	} {
		_, err := policy.Parse([]byte(c.text))
		good := c.says == "" && name != "another table"
		switch {
		case good && err != nil, !good && refusal.Of(err) != refusal.BadPolicy:
			t.Errorf("%s: got %v", name, err)
		case !good && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: got %q, want %q in it", name, err, c.says)
		}
	}
}

func TestWarnings(t *testing.T) {
	key, other := updatestest.Key(1).Public().String(), updatestest.Key(2).Public().String()
	some := func(from, to int) string { return fmt.Sprintf(`"net.listen:tcp/%d-%d"`, from, to) }
	for name, c := range map[string]struct {
		rules []string
		lines []int // of five each
	}{
		"none":              {nil, nil},
		"twice":             {[]string{rule("*", "a", web, ""), rule("*", "a", web, "")}, []int{6}},
		"another bundle":    {[]string{rule("*", "a", web, ""), rule("*", "b", web, "")}, nil},
		"another publisher": {[]string{rule(key, "a", web, ""), rule(other, "a", web, "")}, nil},
		"wider, and then for one": {[]string{rule("*", "*", some(1, 9), ""),
			rule(key, "a.*", some(2, 3), "")}, []int{6}},
		"for one, and then wider": {[]string{rule(key, "a.*", some(2, 3), ""),
			rule("*", "*", some(1, 9), "")}, nil},
		"for one, and then for all publishers": {[]string{rule(key, "a", web, ""), rule("*", "a", web, "")}, nil},
		"by two": {[]string{rule("*", "a", some(1, 5), ""), rule("*", "*", some(6, 9), ""),
			rule("*", "a", some(3, 8), "")}, []int{11}},
		"with a hole": {[]string{rule("*", "a", some(1, 5), ""), rule("*", "a", some(7, 9), ""),
			rule("*", "a", some(3, 8), "")}, nil},
		"after a limit": {[]string{rule("*", "a", web, "limit = 1"), rule("*", "a", web, "")}, nil},
		"limit 0":       {[]string{rule("*", "a", web, "limit = 0")}, []int{1}},
		"all ports, then the last": {[]string{rule("*", "a*", `"net.listen:tcp/*", "net.connect:tcp/*"`, ""),
			rule("*", "ab", `"net.listen:tcp/65535"`, "")}, []int{6}},
		"data, and some of it": {[]string{rule("*", "a", `"data:pages*"`, ""), rule("*", "a", `"data:pages-1"`, ""),
			rule("*", "a", `"data:page*"`, "")}, []int{6}},
		"what lets apps go down": {[]string{rule("*", "a", web, ""), rule("*", "a", web, "downgrade = true")}, nil},
		"a longer beginning":     {[]string{rule("*", "ab*", web, ""), rule("*", "a*", web, "")}, nil},
	} {
		p, err := policy.Parse([]byte(strings.Join(c.rules, "")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var lines []int
		for _, warning := range p.Warnings() {
			var line int
			if _, err := fmt.Sscanf(warning, "line %d: this rule can never grant anything: ", &line); err != nil {
				t.Errorf("%s: %q", name, warning)
			}
			lines = append(lines, line)
		}
		if !slices.Equal(lines, c.lines) {
			t.Errorf("%s: got %v, want %v", name, lines, c.lines)
		}
	}
}

// Any text is refused as BadPolicy, or gives a policy that decides.
func FuzzParse(f *testing.F) {
	f.Add([]byte(rule("*", "a*", web, "limit = 1")), "ab", "net.listen:tcp/8080")
	f.Add([]byte("[[allow]]\n"), "", "")
	f.Fuzz(func(t *testing.T, text []byte, bundle, power string) {
		p, err := policy.Parse(text)
		if err != nil {
			if refusal.Of(err) != refusal.BadPolicy || strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("got %q", err)
			}
			return
		}
		p.Warnings()
		all := p.Decide(policy.Machine{FirstPort: 1}, updatestest.Key(1).Public(),
			[]policy.Asking{{Bundle: bundle, Powers: []string{power}}})
		if len(all) != 1 || all[0].Granted() != (policy.Refuse(all) == nil) || all[0].Granted() != (all[0].Line > 0) {
			t.Fatalf("got %+v", all)
		}
	})
}
