package packagefsd

import (
	"context"

	"nexus/daemons/vat"
)

// Reader returns what answers a client's reads from the given BundleMgr. Each call passes the room for its bytes.
func Reader(bundles *vat.Holding, client string) func(context.Context, string, func(int) ([]byte, error)) error {
	view := newView(bundles).forClient(client)
	return func(ctx context.Context, path string, room func(int) ([]byte, error)) error {
		return view.read(ctx, path, piece{0, 1 << 20, room})
	}
}
