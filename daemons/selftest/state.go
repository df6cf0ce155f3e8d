package selftest

import (
	"context"
	"fmt"

	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
)

// state queries the current state.
func (t *selftest) state(ctx context.Context) (updateclient.Status, error) {
	updated, err := t.updated(ctx)
	if err != nil {
		return updateclient.Status{}, err
	}
	defer updated.Release()
	return updateclient.Get(ctx, update.UpdateStatus(updated))
}

// await polls until the state is as wanted. It does not subscribe, because it must keep working across restarts of
// updated.
func (t *selftest) await(ctx context.Context, what string, wanted func(updateclient.Status) bool) (updateclient.Status,
	error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		s, err := t.state(ctx)
		if err == nil && wanted(s) {
			return s, nil
		}
		if t.pause(ctx) != nil {
			return s, fmt.Errorf("cannot reach %s within %s", what, patience)
		}
	}
}
