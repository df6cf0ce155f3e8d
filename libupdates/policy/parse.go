package policy

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// Bounds of a policy.
const (
	MaxText    = 256 << 10 // bytes
	MaxRules   = 256
	MaxDevices = 64
)

// A Policy is what a device grants to bundles. The zero value grants nothing.
type Policy struct {
	Rules   []Rule            // in the order of the text; the first that grants a power counts
	Devices map[string]Device // by the names that bundles ask for
}

// A Device says which file of the machine a device is.
type Device struct {
	Path  string // absolute
	Write bool   // it may be written to
}

// file is the text of a policy.
type file struct {
	Allow []struct {
		Publisher string   `toml:"publisher"`
		Bundle    string   `toml:"bundle"`
		Powers    []string `toml:"powers"`
		Limit     *int     `toml:"limit"`
		Unlimited bool     `toml:"unlimited"`
		Downgrade bool     `toml:"downgrade"`
	} `toml:"allow"`
	Device []struct {
		Name  string `toml:"name"`
		Path  string `toml:"path"`
		Write bool   `toml:"write"`
	} `toml:"device"`
}

// Parse parses a policy. An empty text is a policy without rules. It refuses, as BadPolicy, whatever it does not
// understand, with the line: a misspelt key could otherwise grant less, or more, than was meant.
func Parse(text []byte) (Policy, error) {
	if len(text) > MaxText {
		return Policy{}, refusal.New(refusal.BadPolicy, "the policy has more than %d bytes", MaxText)
	}
	var f file
	meta, err := toml.Decode(string(text), &f)
	if syntax, ok := errors.AsType[toml.ParseError](err); ok {
		return Policy{}, bad(syntax.Position.Line, "%s", oneLine(syntax.Message))
	}
	if err != nil {
		return Policy{}, refusal.New(refusal.BadPolicy, "%s", oneLine(err.Error()))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Policy{}, bad(keyLine(text, unknown[0]), "unknown key %.80q", unknown[0].String())
	}
	lines := headers(text, "[[allow]]")
	switch {
	case len(f.Allow) > MaxRules:
		return Policy{}, refusal.New(refusal.BadPolicy, "the policy has %d rules, want at most %d", len(f.Allow),
			MaxRules)
	case len(lines) != len(f.Allow):
		return Policy{}, refusal.New(refusal.BadPolicy, "each rule must begin with [[allow]] on a line of its own")
	}
	p := Policy{}
	if p.Devices, err = f.devices(headers(text, "[[device]]")); err != nil {
		return Policy{}, err
	}
	for i, raw := range f.Allow {
		rule, err := parseRule(raw.Publisher, raw.Bundle, raw.Powers, raw.Limit)
		if err == nil && len(raw.Powers) == 0 && !raw.Downgrade {
			err = errors.New("powers is missing, or empty")
		}
		if err != nil {
			return Policy{}, bad(lines[i], "%v", err)
		}
		rule.Line, rule.Unlimited, rule.Downgrade = lines[i], raw.Unlimited, raw.Downgrade
		p.Rules = append(p.Rules, rule)
	}
	return p, nil
}

// devices reads the names of devices. lines are where each begins.
func (f file) devices(lines []int) (map[string]Device, error) {
	switch {
	case len(f.Device) > MaxDevices:
		return nil, refusal.New(refusal.BadPolicy, "the policy has %d devices, want at most %d", len(f.Device),
			MaxDevices)
	case len(lines) != len(f.Device):
		return nil, refusal.New(refusal.BadPolicy, "each device must begin with [[device]] on a line of its own")
	}
	all := map[string]Device{}
	for i, raw := range f.Device {
		_, taken := all[raw.Name]
		switch err := powers.CheckDevice(raw.Name); {
		case err != nil:
			return nil, bad(lines[i], "name: %v", err)
		case taken:
			return nil, bad(lines[i], "there is a device %s already", raw.Name)
		case !path.IsAbs(raw.Path) || path.Clean(raw.Path) != raw.Path || strings.ContainsAny(raw.Path, "\x00\n"):
			return nil, bad(lines[i], "path: %.80q is not the absolute path of a device", raw.Path)
		}
		all[raw.Name] = Device{raw.Path, raw.Write}
	}
	return all, nil
}

func bad(line int, format string, args ...any) error {
	return refusal.New(refusal.BadPolicy, "line %d: %s", line, fmt.Sprintf(format, args...))
}

// keyLine returns the first line with the last part of the key, as a key or as the name of a table; the decoder does
// not say where that is. A part that is written with escapes is not found: then it returns the first line.
func keyLine(text []byte, key toml.Key) int {
	name := regexp.QuoteMeta(key[len(key)-1])
	found := regexp.MustCompile(`(?m)^(?:[^#\n]*[\s\[{,.])?["']?` + name + `["']?[ \t]*[=.\]]`).FindIndex(text)
	if found == nil {
		return 1
	}
	return 1 + bytes.Count(text[:found[1]], []byte("\n"))
}

func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(text, "toml: ")), " ")
}

// headers returns the lines at which tables begin. The decoder does not say where that is.
func headers(text []byte, header string) (lines []int) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		code, _, _ := bytes.Cut(line, []byte("#"))
		if string(bytes.TrimSpace(code)) == header {
			lines = append(lines, i+1)
		}
	}
	return lines
}

func parseRule(publisher, bundle string, patterns []string, limit *int) (r Rule, err error) {
	switch {
	case publisher == "":
		return r, errors.New(`publisher is missing: a public key, or "*" for all that are trusted`)
	case publisher != "*":
		key, err := trust.ParsePublicFile("publisher.pub", []byte(publisher)) // bare hex is public here
		if err != nil {
			return r, fmt.Errorf("publisher: %w", err)
		}
		r.Publisher = &key
	}
	if bundle == "" {
		return r, errors.New(`bundle is missing: a name, the beginning of names and *, or "*" for all`)
	}
	if r.Bundle, err = parsePattern(bundle); err != nil {
		return r, fmt.Errorf("bundle: %w", err)
	}
	for _, text := range patterns {
		all, err := parseRange(text)
		if err != nil {
			return r, fmt.Errorf("powers: %w", err)
		}
		r.Powers = append(r.Powers, all)
	}
	r.Limit = powers.MaxSockets
	if limit != nil {
		r.Limit = *limit
	}
	if r.Limit < 0 || r.Limit > powers.MaxSockets {
		return r, fmt.Errorf("limit: %d is not 0 to %d", r.Limit, powers.MaxSockets)
	}
	return r, nil
}
