package initd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nexus/capnpgen/update"
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
	next := Handed{Attempt: a.Boot(), Image: k.s.config.Handed.Image, Files: map[string]*os.File{}}
	whose := "the core of the image"
	if a.HandOver() == update.HandOver_slot {
		program, entry, err := k.s.loadCore(ctx, gate)
		if err != nil {
			return err
		}
		next.Core, next.Files[handedProgram] = entry.PayloadSHA256, program
		whose = fmt.Sprintf("core %s (slot %s)", entry.Version, a.Slot())
	}
	k.s.log.Announce(ctx, fmt.Sprintf("init: handing over to %s", whose))
	k.s.succeed(&next)
	<-ctx.Done()
	return ctx.Err()
}

// succeed gives the order to take the system down for a core to take over.
func (s *system) succeed(next *Handed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		next.close()
		return
	}
	s.next = next
	close(s.stopping)
}

// successor is what is left to the next core, with the files that outlast this one; nil when the system is to end. From
// then on no order to stop is taken.
func (s *system) successor(ctx context.Context, keep map[string]*os.File) (*Handed, error) {
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

// close gives up what was to be left.
func (h *Handed) close() {
	for _, file := range h.Files {
		file.Close()
	}
}

// errGoingOn refuses an order to stop that came too late.
var errGoingOn = refusal.New(refusal.Superseded, "another core takes over: it may be told")

// become executes the next core in the place of this one. Where that fails the image's core goes on: it counts an
// attempt of its own, so a core that cannot even be executed uses up its tries.
func (c Config) become(next *Handed) error {
	err := c.execute(next)
	if !next.Core.IsZero() {
		fallback := *next
		fallback.Core, fallback.Attempt = nxs.Digest{}, 0
		fallback.take(handedProgram)
		err = errors.Join(err, c.execute(&fallback))
	}
	return err
}

// beginAnew starts this process over, with the program that the machine started with and the command line that people
// wrote. It returns only when that failed.
func (c Config) beginAnew() (err error) {
	image := c.Handed.Image
	if !c.Handed.Given() {
		if image, err = ownBinary(); err != nil {
			return err
		}
	}
	return plat.Become(image, append([]string{c.name}, c.args...), nil)
}

// execute becomes a core under the name that this process has, by a link, so that the process is shown under that name.
func (c Config) execute(next *Handed) error {
	program := next.Image
	if core := next.Files[handedProgram]; core != nil {
		program = plat.ByDescriptor(core)
	}
	link := filepath.Join(c.Dir, runDir, filepath.Base(c.name))
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(program, link); err != nil {
		return err
	}
	argv := append([]string{c.name}, c.args...)
	return plat.Become(link, append(argv, flagHanded, next.String()), next.files())
}
