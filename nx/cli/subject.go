package cli

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/update"
)

// appFlag is the flag of the verbs that are about the system or about a package of apps.
type appFlag struct {
	App string `placeholder:"NAME" help:"This package of apps, as nx apps names it, instead of the system."`
}

// A subject is what such a verb is about: the system, or a package of apps.
type subject struct {
	*session
	app *openedApp // nil: the system
}

// with runs a verb over a session, about what the flag names. Verb and object are for the error.
func (f appFlag) with(ctx context.Context, in *invocation, verb, object string, do func(subject) error) error {
	return in.with(ctx, func(s *session) error {
		if f.App == "" {
			return do(subject{session: s})
		}
		app, err := openPackage(ctx, s, f.App)
		if err != nil {
			return cannot(verb, object, err)
		}
		defer app.done()
		return do(subject{s, app})
	})
}

func (m subject) updated(ctx context.Context) (update.Updated, capnp.ReleaseFunc) {
	if m.app != nil {
		return update.Updated(m.app.app), func() {}
	}
	return m.session.updated(ctx)
}

func (m subject) recovery(ctx context.Context) (update.UpdateRecovery, capnp.ReleaseFunc) {
	if m.app != nil {
		return update.UpdateRecovery(m.app.app), func() {}
	}
	return m.session.recovery(ctx)
}

// state returns the current state.
func (m subject) state(ctx context.Context) (state, error) { return stateBy(ctx, m.status) }

// status returns the status, of one instance of updated after another.
func (m subject) status(ctx context.Context) (update.UpdateStatus, capnp.ReleaseFunc) {
	if m.app != nil {
		return m.app.status(m.session)(ctx)
	}
	return m.session.status(ctx)
}
