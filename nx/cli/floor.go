package cli

import (
	"context"
	"fmt"
	"io"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
)

// floorVerb is about the version floor.
type floorVerb struct {
	Show  floorShowVerb  `cmd:"" default:"withargs" help:"Show the version floor."`
	Lower floorLowerVerb `cmd:"" help:"Lower the version floor, so that older sets are accepted again."`
}

// A floor is the result of both verbs.
type floor struct {
	VersionFloor *string `json:"versionFloor"`
}

func (f floor) print(w io.Writer) {
	if f.VersionFloor == nil {
		fmt.Fprintln(w, "no version floor: every set that is signed may follow")
		return
	}
	fmt.Fprintf(w, "no set older than %s is accepted\n", clean(*f.VersionFloor))
}

// floorShowVerb shows the floor.
type floorShowVerb struct{ appFlag }

// Run asks for the state and shows its floor.
func (v *floorShowVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return v.with(ctx, in, "show floor", "", func(m subject) error {
		now, err := m.state(ctx)
		if err != nil {
			return cannot("show floor", "", err)
		}
		is := floor{now.VersionFloor}
		return in.answer(is, is.print)
	})
}

// floorLowerVerb lowers the floor.
type floorLowerVerb struct {
	Version string `arg:"" placeholder:"VERSION" help:"The new floor, or none."`
	appFlag
}

// noFloor means that there is no floor.
const noFloor = "none"

// Run lowers the floor and shows the new one.
func (v *floorLowerVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return v.with(ctx, in, "lower floor to", v.Version, func(m subject) error {
		version := v.Version
		if version == noFloor {
			version = ""
		}
		if err := lowerFloor(ctx, m, version); err != nil {
			return cannot("lower floor to", v.Version, err)
		}
		is := floor{orNull(version, "")}
		return in.answer(is, is.print)
	})
}

func lowerFloor(ctx context.Context, m subject, version string) error {
	recovery, done := m.recovery(ctx)
	defer done()
	answer, release := recovery.LowerFloor(ctx,
		func(p update.UpdateRecovery_lowerFloor_Params) error { return p.SetSystemVersion(version) })
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}
