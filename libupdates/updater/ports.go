package updater

import (
	"context"
	"io"
	"time"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/delta"
	"nexus/libupdates/durable"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
	"nexus/libupdates/slots"
	"nexus/libupdates/trust"
)

// A Config is what an Engine works with, and the policy of the device.
type Config struct {
	Slots  durable.FS       // the folder of the two slots
	Record durable.CellFile // the boot record
	// BootCopy is a copy of the record that does not outlive this boot; nil where Record does not outlive it either.
	BootCopy  durable.CellFile
	Verify    Verify
	Patch     Patch     // nil: patches are applied by the engine itself
	Admission Admission // nil: nobody decides beside Verify, and roots in sets are skipped
	Judge     Judge     // nil: no set may ask for powers
	Others    Others    // nil: there are none
	Publisher Publisher
	Log       Log
	Clock     Clock
	Changed   func() // called after each change of the status; it must not block; nil: nobody wants to know

	Limits   nxs.Limits    // in bytes
	Tries    uint8         // boot attempts of a set on trial, at least 1
	Floor    FloorPolicy   // "": FloorSigned
	Cause    bootctl.Cause // why this boot began, as far as the machine shows
	Hindered string        // why this machine can start no service, so that no trial begins; empty: it can
	Core     nxs.Digest    // of the payload of the core that runs; zero: the core of the image
}

// Verify says which trusted publisher signed the message, or refuses it. The proof is that of an nxs.VerifyFunc.
type Verify func(ctx context.Context, message, proof []byte) (trust.PublicKey, error)

// by is the verification of one call.
func (v Verify) by(ctx context.Context) nxs.VerifyFunc {
	return func(message, proof []byte) (trust.PublicKey, error) { return v(ctx, message, proof) }
}

// Admission decides what may be installed anew, and learns of the roots that come with sets. Verify alone is about what
// may run.
type Admission interface {
	Admit(ctx context.Context, message, proof []byte) error
	// TakeRoots refuses roots under which a needed set of these could not run any more.
	TakeRoots(ctx context.Context, raw []byte, installed []Installed) error
}

// An Installed is a set in a slot, with its proof.
type Installed struct {
	Index, Proof []byte
	Needed       bool // it runs, or the trial under way would go back to it
}

// Judge refuses a set whose bundles ask for powers that the device does not grant them.
type Judge func(ctx context.Context, publisher trust.PublicKey, set []policy.Asking) error

// Others are the other slot pairs of the device: the system's, or those of its apps.
type Others interface {
	// Busy refuses every change here while one of them must not be disturbed.
	Busy() error
	// Admit refuses a set that does not go with what the others hold. It is asked before anything is written, and again
	// before a switch. Older says that the set may be older than the one that runs.
	Admit(ctx context.Context, x nxs.Index, older bool) error
}

// A Patch applies a patch of a delta, as Apply of a delta.Patch does.
type Patch func(ctx context.Context, p delta.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, from int64) error

// by applies the patches of one stage.
func (p Patch) by(ctx context.Context) nxs.PatchFunc {
	if p == nil {
		return nil
	}
	return func(d delta.Patch, w io.Writer, old io.ReaderAt, patch io.Reader, from int64) error {
		return p(ctx, d, w, old, patch, from)
	}
}

// A Publisher makes the set of a slot the one that runs.
type Publisher interface {
	// Check asks whether a set could be published, and publishes nothing.
	Check(ctx context.Context, slot bootctl.Slot, set nxs.Digest) error
	// Publish returns once p is published. It stays published until the next call, or refused.
	Publish(ctx context.Context, p Publication) error
	// Resume has p published again without waiting for it: an engine before this one published it in this boot.
	Resume(p Publication)
}

// A Publication is one set in one slot, for one boot attempt.
type Publication struct {
	Slot   bootctl.Slot
	Digest nxs.Digest
	Boot   uint64
}

// A Log takes what the engine reports. No call waits for anybody.
type Log interface {
	Audit(Audit)
	Warn(message string, fields ...any)
	Error(message string, fields ...any)
}

// A Clock tells the time.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// A Progress hears how far a stage is. No call waits for anybody; after Close there is none.
type Progress interface {
	Report(slots.Progress)
	Close()
}

// A File is an archive that somebody else opened.
type File interface {
	io.ReaderAt
	io.Closer
}

// An Audit is the record of one step that changes, or checks, what runs: whether it was done or not.
type Audit struct {
	Op      string // e.g. `stage`
	App     string // the package of apps that it is about; empty: the system
	Slot    bootctl.Slot
	Version string // of the set
	Digest  nxs.Digest
	Size    uint64 // of the archive, bytes; 0: there was none
	Reused  int64  // bytes of payloads that were not written again
	Result  Result
	Reason  refusal.Reason // why it was not done; for a rollback why it was
	Detail  string         // one line for people
	By      Caller
}

// A Result is how a step ended.
type Result string

// The results.
const (
	OK      Result = "ok"
	Refused Result = "refused"
	Failed  Result = "failed"
)
