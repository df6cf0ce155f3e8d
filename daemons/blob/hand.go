package blob

import (
	"context"
	"os"

	"nexus/capnpgen/bundle"
	"nexus/daemons/convert"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
)

// Hand asks for the payload of a published bundle as a file, which the caller closes, and returns its signed digest.
// The file is nil if none was handed over, or if reading it could take for ever.
func Hand(ctx context.Context, bundles *vat.Holding, mgr bundle.BundleMgr, name string) (*os.File, nxs.Digest, error) {
	var handed bool
	var digest nxs.Digest
	file, err := bundles.Handed(func() error {
		answer, release := mgr.HandPayload(ctx, func(p bundle.BundleMgr_handPayload_Params) error {
			return p.SetName(name)
		})
		defer release()
		res, err := answer.Struct()
		if err != nil {
			return convert.Excepted(err)
		}
		handed = res.Handed()
		sum, err := res.Sha256()
		digest = convert.DigestOf(sum)
		return err
	})
	if err != nil || file == nil || handed && plat.CheckHanded(file) == nil {
		return file, digest, err
	}
	file.Close()
	return nil, digest, nil
}
