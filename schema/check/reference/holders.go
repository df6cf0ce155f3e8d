package reference

import (
	"fmt"
	"strings"
)

// A Holding is one grant that a holder has from the start.
type Holding struct {
	Holder string
	Facet  string   // the interface's name
	From   string   // who serves it
	Grants []string // what may be reached through it, if that is limited by names
}

// Holders is the table of all holdings.
type Holders []Holding

// ParseHolders parses a table of words: holder, facet, provider and grants, with `-` for none. The first line may be a
// heading; empty lines and lines that start with # are ignored.
func ParseHolders(text string) (Holders, error) {
	var all Holders
	number := 0
	for line := range strings.Lines(text) {
		number++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") || words[0] == "HOLDER" {
			continue
		}
		if len(words) < 3 {
			return nil, fmt.Errorf("cannot read holders: line %d is not `holder facet provider [grant...]`", number)
		}
		h := Holding{Holder: words[0], Facet: words[1], From: words[2]}
		if len(words) > 3 && words[3] != "-" {
			h.Grants = words[3:]
		}
		all = append(all, h)
	}
	return all, nil
}

// of returns who holds an interface, and whose grants name it.
func (hs Holders) of(name string) (held, named []string) {
	for _, h := range hs {
		if h.Facet == name {
			text := h.Holder
			if len(h.Grants) > 0 {
				text += " (for `" + strings.Join(h.Grants, "`, `") + "`)"
			}
			held = append(held, text)
		}
		for _, grant := range h.Grants {
			if grant == name {
				named = append(named, fmt.Sprintf("%s's %s", h.Holder, h.Facet))
			}
		}
	}
	return held, named
}
