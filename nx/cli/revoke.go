package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"nexus/capnpgen/operator"
	"nexus/daemons/convert"
)

// revokeVerb revokes what a daemon or a role was granted.
type revokeVerb struct {
	Client  string `arg:"" placeholder:"CLIENT" help:"Who is to lose it: a daemon or a role, as nx graph shows it."`
	Service string `arg:"" placeholder:"SERVICE" help:"A facet it holds or a name it may look up, as nx graph shows them, or one bundle: bundle/NAME."`
	Yes     bool   `short:"y" help:"Do not ask."`
}

// grantVerb grants it again.
type grantVerb struct {
	Client  string `arg:"" placeholder:"CLIENT" help:"The daemon or role that lost it."`
	Service string `arg:"" placeholder:"SERVICE" help:"What was revoked, by the same word."`
}

// A revoked says what was revoked from whom, or granted again.
type revoked struct {
	Client  string `json:"client"`
	Service string `json:"service"`
}

// Run cuts a client from a service until the service is granted again or the system stops.
func (v *revokeVerb) Run(ctx context.Context, in *invocation) error {
	if err := in.confirm(ctx, v.Yes, fmt.Sprintf("Take %s from %s? What runs may fail for it.", v.Service,
		v.Client)); err != nil {
		return cannot("revoke", v.Service, err)
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		if err := revokeEdge(ctx, &s.facets, v.Client, v.Service); err != nil {
			return cannot("revoke", v.Service, err)
		}
		return in.answer(revoked{v.Client, v.Service}, func(w io.Writer) {
			fmt.Fprintf(w, "revoked: %s has no %s until the system stops\n", clean(v.Client), clean(v.Service))
			fmt.Fprintf(w, "next: `nx grant %s %s` undoes it\n", clean(v.Client), clean(v.Service))
		})
	})
}

// Run grants again what was revoked.
func (v *grantVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		if err := grantEdge(ctx, &s.facets, v.Client, v.Service); err != nil {
			return cannot("grant", v.Service, err)
		}
		return in.answer(revoked{v.Client, v.Service}, func(w io.Writer) {
			fmt.Fprintf(w, "granted: %s has %s as the authority table says\n", clean(v.Client), clean(v.Service))
		})
	})
}

func revokeEdge(ctx context.Context, f *facets, client, service string) error {
	authority, done := f.authority(ctx)
	defer done()
	answer, release := authority.Revoke(ctx, func(p operator.Authority_revoke_Params) error {
		return errors.Join(p.SetClient(client), p.SetService(service))
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}

func grantEdge(ctx context.Context, f *facets, client, service string) error {
	authority, done := f.authority(ctx)
	defer done()
	answer, release := authority.Grant(ctx, func(p operator.Authority_grant_Params) error {
		return errors.Join(p.SetClient(client), p.SetService(service))
	})
	defer release()
	_, err := convert.Outcome(answer.Struct())
	return err
}
