package cli

import (
	"context"
	"fmt"
	"io"

	"nexus/capnpgen/exec"
)

// runVerb runs a bundle.
type runVerb struct {
	Bundle string `arg:"" placeholder:"BUNDLE" help:"Name of a published bundle with the ability nexus.ability.Main."`
}

// An exit says how a program ended.
type exit struct {
	ExitCode int32 `json:"exitCode"`
	Signal   int32 `json:"signal"`
}

// Run starts the bundle and waits until it ends. Its output goes to the journal. An interrupt kills it.
func (v *runVerb) Run(ctx context.Context, in *invocation) error {
	return in.with(ctx, func(s *session) error {
		end, err := runBundle(ctx, &s.facets, v.Bundle)
		if err != nil {
			return cannot("run", v.Bundle, err)
		}
		if err := in.answer(end, func(io.Writer) {}); err != nil || end == (exit{}) {
			return err
		}
		in.json = false // the answer says it already
		return cannot("run", v.Bundle, fmt.Errorf("ended with %s", end))
	})
}

func (e exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("signal %d", e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.ExitCode)
}

func runBundle(ctx context.Context, f *facets, bundle string) (exit, error) {
	runner, done := f.exec(ctx)
	defer done()
	answer, release := runner.Run(ctx, func(p exec.Exec_run_Params) error { return p.SetBundle(bundle) })
	defer release() // the last reference to the process: dropping it kills what still runs
	res, err := answer.Struct()
	if err != nil {
		return exit{}, err
	}
	process := res.Process()
	if !process.IsValid() {
		return exit{}, errGone
	}
	waiting, releaseEnd := process.Wait(ctx, nil)
	defer releaseEnd()
	end, err := waiting.Struct()
	if err != nil {
		return exit{}, err
	}
	return exit{end.ExitCode(), end.Signal()}, nil
}
