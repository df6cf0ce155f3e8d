package roots

import (
	"strings"

	"nexus/libupdates/nxb"
)

// wildcard ends a pattern that stands for every name that begins with what precedes it.
const wildcard = "*"

// validPattern reports whether a pattern is a bundle's name, or the beginning of one followed by the wildcard.
func validPattern(pattern string) bool {
	beginning, open := strings.CutSuffix(pattern, wildcard)
	if !open {
		return nxb.CheckName(pattern) == nil
	}
	return beginning != "" && nxb.CheckName(beginning+"a") == nil
}

// matches reports whether a pattern covers a name, or everything that another pattern covers.
func matches(pattern, name string) bool {
	beginning, open := strings.CutSuffix(pattern, wildcard)
	if open {
		return strings.HasPrefix(strings.TrimSuffix(name, wildcard), beginning)
	}
	return pattern == name
}

// covers reports whether the grant is for this name.
func (g Grant) covers(name string) bool {
	for _, pattern := range g.Names {
		if matches(pattern, name) {
			return true
		}
	}
	return len(g.Names) == 0
}

// overlaps reports whether some name is covered by both grants.
func (g Grant) overlaps(other Grant) bool {
	if len(g.Names) == 0 || len(other.Names) == 0 {
		return true
	}
	for _, a := range g.Names {
		for _, b := range other.Names {
			if matches(a, b) || matches(b, a) {
				return true
			}
		}
	}
	return false
}
