package updater

import (
	"context"

	"nexus/libupdates/bootctl"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// fits asks whether a sender may bring a set, and whether it goes with what other slot pairs hold.
func (cfg *Config) fits(ctx context.Context, x nxs.Index, terms Terms) error {
	if terms.Admit != nil {
		if err := terms.Admit(x); err != nil {
			return err
		}
	}
	if cfg.Others == nil {
		return nil
	}
	return cfg.Others.Admit(ctx, x, terms.Older)
}

// busy refuses a change while another slot pair must not be disturbed.
func (cfg *Config) busy() error {
	if cfg.Others == nil {
		return nil
	}
	return cfg.Others.Busy()
}

// Retire holds the place of a stage for somebody who is about to remove the whole slot pair, until release. Refused
// as TrialInProgress and StageInProgress.
func (g *Staging) Retire() (release func(), err error) {
	if err := g.ledger.takePlace(); err != nil {
		return nil, err
	}
	if pending := g.ledger.Record().Pending; pending != bootctl.None { // while the place is taken, no trial begins
		g.place.end()
		return nil, refusal.New(refusal.TrialInProgress, "slot %s is on trial", pending)
	}
	return g.place.end, nil
}
