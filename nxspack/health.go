package nxspack

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// healthMeta is the table [health] of system-set.toml, the health policy for trials of the set.
type healthMeta struct {
	Deadline time.Duration `toml:"deadline"` // "20s"
	Watch    time.Duration `toml:"watch"`
	Quorum   int           `toml:"quorum"`
	Optional []string      `toml:"optional"` // bundles whose services count only towards the quorum
}

// apply sets the health policy of an index with these bundles. A policy that makes no sense is refused as BadMetadata:
// an optional bundle that does not exist or has no service, or a deadline, watch or quorum out of bounds.
func (h healthMeta) apply(x *nxs.Index, bundles []bundleFolder) error {
	for i, name := range h.Optional {
		at := slices.IndexFunc(bundles, func(b bundleFolder) bool { return b.entry.Name == name })
		switch {
		case at < 0:
			return refusal.New(refusal.BadMetadata, "health.optional names %q, which is not a bundle of the set", name)
		case !bundles[at].manifest.IsService():
			return refusal.New(refusal.BadMetadata, "health.optional names %q, which is not a service", name)
		case slices.Contains(h.Optional[:i], name):
			return refusal.New(refusal.BadMetadata, "health.optional names %q twice", name)
		}
		x.Bundles[at].Optional = true
	}
	x.Health = nxs.Health{Deadline: h.Deadline, Watch: h.Watch, Quorum: h.Quorum}
	if err := x.Health.Check(x.Bundles); err != nil {
		return refusal.New(refusal.BadMetadata, "health: %v", err)
	}
	return nil
}

// healthDescription is a health policy as JSON. Zero leaves a value to the device.
type healthDescription struct {
	DeadlineMs int64 `json:"deadlineMs"`
	WatchMs    int64 `json:"watchMs"`
	Quorum     int   `json:"quorum"`
}

func describeHealth(h nxs.Health) healthDescription {
	return healthDescription{h.Deadline.Milliseconds(), h.Watch.Milliseconds(), h.Quorum}
}

// healthText is a health policy as text.
func healthText(x nxs.Index) string {
	var says []string
	if x.Health.Deadline > 0 {
		says = append(says, "deadline at most "+x.Health.Deadline.String())
	}
	if x.Health.Watch > 0 {
		says = append(says, "watch at least "+x.Health.Watch.String())
	}
	return strings.Join(append(says, quorumText(x)), ", ")
}

func quorumText(x nxs.Index) string {
	optional := 0
	for _, e := range x.Bundles {
		if e.Optional {
			optional++
		}
	}
	if optional == 0 {
		return "every service required"
	}
	return fmt.Sprintf("at least %d of %s healthy", x.Health.Quorum, count(optional, "optional service"))
}

func optionalMark(e nxs.Entry) string {
	if e.Optional {
		return " (optional)"
	}
	return ""
}
