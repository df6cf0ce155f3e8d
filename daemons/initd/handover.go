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

// errHandedAgain refuses a second hand-over for one attempt: the cores would hand over to each other forever.
var errHandedAgain = refusal.New(refusal.SlotMismatch, "the core that took over is not the one for this attempt")

// handOver orders the change to an attempt's core, once that core is verified and in sealed memory. It returns when
// this fails, or else when ctx ends.
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

// coreSetting tells updated which core runs.
func coreSetting(core nxs.Digest) string {
	if core.IsZero() {
		return ""
	}
	return core.String()
}
