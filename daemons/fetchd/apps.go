package fetchd

import (
	"context"
	"strings"

	"nexus/capnpgen/fetch"
	"nexus/capnpgen/update"
	"nexus/daemons/updateclient"
	"nexus/libupdates/refusal"
	"nexus/oci"
)

// scopeMark begins the grant that says for which apps a client has AppFetcher; without one it has it for all.
const scopeMark = "apps:"

func scopeOf(grants []string) string {
	for _, grant := range grants {
		if scope, is := strings.CutPrefix(grant, scopeMark); is {
			return scope
		}
	}
	return ""
}

// An appClient is the AppFetcher of one client.
type appClient struct {
	*client
	scope string // the apps that it may change; empty: all
}

// Fetch fetches a set of apps. It ends with its call.
func (s *appClient) Fetch(ctx context.Context, call fetch.AppFetcher_fetch) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	args := call.Args()
	reference, err := args.Reference()
	if err != nil {
		return err
	}
	progress := args.Progress().AddRef()
	defer progress.Release()
	call.Go()
	app := &updateclient.App{Scope: s.scope, Upgrade: args.Upgrade(), Older: args.Older()}
	if err := s.serve(ctx, &job{client: s.client, progress: progress, app: app}, reference, res); err != nil {
		return err
	}
	return res.SetApp(app.Name)
}

// name notes what the registry says that the set is: the first time that it says so, which package of apps. updated
// refuses a set that is another one.
func (j *job) name(set *oci.Set) error {
	j.named = true
	if j.app == nil || j.app.Name != "" {
		return nil
	}
	names := set.Bundles()
	if len(names) == 0 {
		return refusal.New(refusal.NotASet, "it has no apps")
	}
	j.app.Name = names[0]
	return nil
}

// stageFor is what the set is staged by: for apps it is the UpdateStage of their package.
func (j *job) stageFor(ctx context.Context, stager update.UpdateStage) (update.UpdateStage, error) {
	if j.app == nil {
		return stager.AddRef(), nil
	}
	return updateclient.StageOf(ctx, stager, *j.app)
}
