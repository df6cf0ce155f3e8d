package updateclient

import (
	"context"
	"errors"

	"nexus/capnpgen/update"
	"nexus/daemons/convert"
)

// An App is a package of apps that a set is for.
type App struct {
	Name    string
	Scope   string // the apps that whoever wants it may change; empty: all
	Upgrade bool   // it has to be installed; else it must not be
	Older   bool   // the set may be older than the one that runs
}

// StageOf returns UpdateStage for a package of apps.
func StageOf(ctx context.Context, facet update.UpdateStage, app App) (update.UpdateStage, error) {
	answer, release := facet.App(ctx, func(p update.UpdateStage_app_Params) error {
		p.SetUpgrade(app.Upgrade)
		p.SetOlder(app.Older)
		return errors.Join(p.SetName(app.Name), p.SetScope(app.Scope))
	})
	defer release()
	res, err := convert.Outcome(answer.Struct())
	if err != nil {
		return update.UpdateStage{}, err
	}
	return res.Stage().AddRef(), nil
}
