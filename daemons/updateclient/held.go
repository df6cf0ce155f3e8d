package updateclient

import (
	"context"

	"nexus/capnpgen/update"
	"nexus/libupdates/bootctl"
)

// Held returns the digests of the payloads that the device holds.
func Held(ctx context.Context, facet update.UpdateStage) ([]bootctl.Digest, error) {
	answer, release := facet.Held(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Payloads()
	if err != nil {
		return nil, err
	}
	var r reader
	held := make([]bootctl.Digest, list.Len())
	for i := range held {
		held[i] = r.digest(list.At(i))
	}
	return held, r.Err
}
