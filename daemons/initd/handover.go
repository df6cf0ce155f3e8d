package initd

import (
	"context"
	"fmt"
	"os"

	"nexus/capnpgen/update"
	"nexus/daemons/initd/machine"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// errHandedAgain refuses to hand over for an attempt that was handed over for: each core would point at the other.
var errHandedAgain = refusal.New(refusal.SlotMismatch, "the core that took over is not the one for this attempt")

// handOver gives the order to go on with the core that an attempt is for, once that core is in sealed memory and
// proven. It returns when it cannot be done; if it can, with ctx.
func (g *gate) handOver(ctx context.Context, from update.HealthGate, a update.Attempt) error {
	if a.Boot() == g.s.config.Handed.Attempt {
		return errHandedAgain
	}
	next := machine.Handed{Attempt: a.Boot(), Image: g.s.config.Handed.Image, Files: map[string]*os.File{}}
	whose := "the core of the image"
	if a.HandOver() == update.HandOver_slot {
		program, entry, err := coreLoader{g.s.holdings["Verifier"], g.s.config.Limits.Payload}.load(ctx, from)
		if err != nil {
			return err
		}
		next.Core, next.Files[machine.HandedProgram] = entry.PayloadSHA256, program
		whose = fmt.Sprintf("core %s (slot %s)", entry.Version, a.Slot())
	}
	g.s.log.Announce(ctx, fmt.Sprintf("init: handing over to %s", whose))
	g.s.ending.succeed(&next)
	<-ctx.Done()
	return ctx.Err()
}

// coreSetting tells updated which core the system runs from.
func coreSetting(core nxs.Digest) string {
	if core.IsZero() {
		return ""
	}
	return core.String()
}
