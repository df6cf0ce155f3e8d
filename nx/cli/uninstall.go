package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
	"nexus/daemons/vat"
)

// uninstallVerb uninstalls apps.
type uninstallVerb struct {
	Names     []string `arg:"" placeholder:"NAME" help:"The apps: all that came in one set."`
	KeepState bool     `help:"Keep what the apps have stored: it waits for their next install."`
}

// An uninstalled is the result.
type uninstalled struct {
	Apps      []string `json:"apps"`
	StateKept bool     `json:"stateKept"`
}

// Run returns once no program of the apps runs any more.
func (v *uninstallVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	in.app = slices.Min(v.Names) // their package, if these are all of it
	return in.with(ctx, func(s *session) error {
		if err := uninstallApps(ctx, &s.facets, v.Names, v.KeepState); err != nil {
			return cannot("uninstall", strings.Join(v.Names, " "), err)
		}
		return in.answer(uninstalled{v.Names, v.KeepState}, func(w io.Writer) {
			fmt.Fprintf(w, "uninstalled %s\n", clean(strings.Join(v.Names, ", ")))
		})
	})
}

func uninstallApps(ctx context.Context, f *facets, names []string, keepState bool) error {
	installer, done := f.installer(ctx)
	defer done()
	answer, release := installer.Uninstall(ctx, func(p update.AppInstaller_uninstall_Params) error {
		p.SetKeepState(keepState)
		return vat.SetTexts(p.NewNames, names)
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}
