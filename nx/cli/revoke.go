package cli

import (
	"context"
	"fmt"
	"io"

	"nexus/capnpgen/operator"
	"nexus/daemons/wire"
)

// revokeVerb takes back what a daemon was granted.
type revokeVerb struct {
	Client  string `arg:"" placeholder:"CLIENT" help:"The daemon that is to lose it."`
	Service string `arg:"" placeholder:"SERVICE" help:"A facet it holds or a name it may look up, as the graph shows them, or one bundle: bundle/NAME."`
}

// A revoked is what was taken from whom.
type revoked struct {
	Client  string `json:"client"`
	Service string `json:"service"`
}

// Run cuts a daemon from a service until the system stops.
func (v *revokeVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		if err := s.revoke(ctx, v.Client, v.Service); err != nil {
			return cannot("revoke", v.Service, err)
		}
		return in.answer(revoked{v.Client, v.Service}, func(w io.Writer) {
			fmt.Fprintf(w, "revoked: %s has no %s until the system stops\n", clean(v.Client), clean(v.Service))
		})
	})
}

func (s *session) revoke(ctx context.Context, client, service string) error {
	authority, err := s.authority(ctx)
	if err != nil {
		return err
	}
	defer authority.Release()
	answer, release := authority.Revoke(ctx, func(p operator.Authority_revoke_Params) error {
		if err := p.SetClient(client); err != nil {
			return err
		}
		return p.SetService(service)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	return wire.Refused(res.Refusal())
}
