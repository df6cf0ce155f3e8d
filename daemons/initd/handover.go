package initd

import (
	"context"
	"fmt"
	"os"

	"nexus/capnpgen/update"
	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// errHandedAgain refuses to hand over for an attempt that was handed over for: each core would point at the other.
var errHandedAgain = refusal.New(refusal.SlotMismatch, "the core that took over is not the one for this attempt")

// handOver gives the order to go on with the core that an attempt is for, once that core is in sealed memory and
// proven. It returns when it cannot be done; if it can, with ctx.
func (k *keeper) handOver(ctx context.Context, gate update.HealthGate, a update.Attempt) error {
	if a.Boot() == k.s.config.Handed.Attempt {
		return errHandedAgain
	}
	next := machine.Handed{Attempt: a.Boot(), Image: k.s.config.Handed.Image, Files: map[string]*os.File{}}
	whose := "the core of the image"
	if a.HandOver() == update.HandOver_slot {
		program, entry, err := k.s.loadCore(ctx, gate)
		if err != nil {
			return err
		}
		next.Core, next.Files[machine.HandedProgram] = entry.PayloadSHA256, program
		whose = fmt.Sprintf("core %s (slot %s)", entry.Version, a.Slot())
	}
	k.s.log.Announce(ctx, fmt.Sprintf("init: handing over to %s", whose))
	k.s.succeed(&next)
	<-ctx.Done()
	return ctx.Err()
}

// succeed gives the order to take the system down for a core to take over.
func (s *system) succeed(next *machine.Handed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		next.Close()
		return
	}
	s.next = next
	close(s.stopping)
}

// successor is what is left to the next core, with the files that outlast this one; nil when the system is to end. From
// then on no order to stop is taken.
func (s *system) successor(ctx context.Context, keep map[string]*os.File) (*machine.Handed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil || s.ending || ctx.Err() != nil {
		return nil, nil
	}
	s.gone = true
	for name, file := range keep {
		kept, err := plat.Duplicate(file)
		if err != nil {
			return nil, err
		}
		s.next.Files[name] = kept
	}
	return s.next, nil
}

// coreSetting tells updated which core the system runs from.
func coreSetting(core nxs.Digest) string {
	if core.IsZero() {
		return ""
	}
	return core.String()
}

// errGoingOn refuses an order to stop that came too late.
var errGoingOn = refusal.New(refusal.Superseded, "another core takes over: it may be told")
