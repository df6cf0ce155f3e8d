// Package oracle checks a system from outside: it knows the answers of `nx --json`, the contents of an archive and thus
// of its slot, and which states and histories must not occur. It does not use the code under test. It does not judge
// faults either: the harness that injects a fault knows its consequences.
package oracle

import "nexus/libupdates/refusal"

// A State is the output of `nx status --json`.
type State struct {
	ActiveSlot   string  `json:"activeSlot"`
	PendingSlot  *string `json:"pendingSlot"`
	StagedSlot   *string `json:"stagedSlot"`
	TriesLeft    int     `json:"triesLeft"`
	HealthOK     bool    `json:"healthOk"`
	Persistent   bool    `json:"persistent"`
	Staging      bool    `json:"staging"`
	Watched      bool    `json:"watched"` // the confirmed set may still fail
	Boot         uint64  `json:"boot"`
	VersionFloor *string `json:"versionFloor"`
	Slots        struct {
		A      Slot `json:"a"`
		B      Slot `json:"b"`
		Staged Slot `json:"staged"`
	} `json:"slots"`
	Quarantine   []Quarantined `json:"quarantine"`
	LastRollback *RolledBack   `json:"lastRollback"`
}

// A Slot is the content of a slot; version and digest are null if it is empty.
type Slot struct {
	SystemVersion *string     `json:"systemVersion"`
	IndexSHA256   *string     `json:"indexSha256"`
	Good          bool        `json:"good"`
	Damage        *string     `json:"damage"`
	Kept          bool        `json:"kept"` // the kernel verifies its payloads at every read
	Bundles       []BundleRef `json:"bundles"`
}

// A BundleRef names a bundle.
type BundleRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// A Quarantined set may not be staged.
type Quarantined struct {
	IndexSHA256 string         `json:"indexSha256"`
	Reason      refusal.Reason `json:"reason"`
}

// A RolledBack says why the last rollback took place.
type RolledBack struct {
	Reason      refusal.Reason `json:"reason"`
	Detail      string         `json:"detail"`
	IndexSHA256 string         `json:"indexSha256"`
}

// Slot returns the slot with this name.
func (s State) Slot(name string) Slot {
	switch name {
	case "b":
		return s.Slots.B
	case "staged":
		return s.Slots.Staged
	default:
		return s.Slots.A
	}
}

// Staged returns the digest of the staged set, or "" if none is.
func (s State) Staged() string {
	if s.StagedSlot == nil {
		return ""
	}
	return s.Slot(*s.StagedSlot).Digest()
}

// Active returns the confirmed slot, Standby the other one.
func (s State) Active() Slot { return s.Slot(s.ActiveSlot) }

func (s State) Standby() Slot { return s.Slot(Other(s.ActiveSlot)) }

// Digest returns the digest of the slot's set, or "" for an empty slot.
func (s Slot) Digest() string { return Text(s.IndexSHA256) }

// Quarantined returns why a set is in quarantine, or "".
func (s State) Quarantined(digest string) refusal.Reason {
	for _, q := range s.Quarantine {
		if q.IndexSHA256 == digest {
			return q.Reason
		}
	}
	return ""
}

func Other(slot string) string {
	if slot == "a" {
		return "b"
	}
	return "a"
}

// Text returns a text that may be null.
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// A Publication is the output of `nx bundles --json`.
type Publication struct {
	Slot        *string `json:"slot"`
	IndexSHA256 *string `json:"indexSha256"`
	Bundles     []struct {
		Name           string `json:"name"`
		PayloadSHA256  string `json:"payloadSha256"`
		ManifestSHA256 string `json:"manifestSha256"`
	} `json:"bundles"`
}

// A Roll is the output of `nx services --json`.
type Roll struct {
	Services []Service `json:"services"`
	Daemons  []Daemon  `json:"daemons"`
}

// A Service is one of the set that runs, or of an app.
type Service struct {
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	State    string  `json:"state"`
	PID      int     `json:"pid"`
	Slot     *string `json:"slot"`
	Restarts int     `json:"restarts"`
	Earlier  bool    `json:"earlier"` // its program was started in an earlier attempt
}

// A Daemon is one of the core.
type Daemon struct {
	Name     string `json:"name"`
	PID      int    `json:"pid"`
	Ready    bool   `json:"ready"`
	Restarts int    `json:"restarts"`
	LastExit string `json:"lastExit"`
}

// An Event is one step of `nx history --json`.
type Event struct {
	Op          string  `json:"op"`
	Slot        *string `json:"slot"`
	IndexSHA256 *string `json:"indexSha256"`
	Reason      *string `json:"reason"`
	Boot        uint64  `json:"boot"`
}

// A Record is one line of `nx log --json`.
type Record struct {
	Sequence uint64 `json:"sequence"`
	Sender   string `json:"sender"`
	Kind     string `json:"kind"`
	Message  string `json:"message"`
	Fields   []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"fields"`
}

// Field returns the value of a field, or "" if there is no such field.
func (r Record) Field(key string) string {
	for _, f := range r.Fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}
