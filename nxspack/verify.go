package nxspack

import (
	"context"
	"fmt"
)

// verifyVerb checks a set.
type verifyVerb struct {
	Trust []string `required:"" sep:"none" placeholder:"PUB" help:"A publisher to trust: ${public}. May be repeated."`
	limitFlags
	sdkFlag
	File string `arg:"" help:"The set."`
}

// Run says that a device with these publishers and limits would take the set, or why it would not.
func (v *verifyVerb) Run(ctx context.Context, c *command) error {
	trusted, err := anchors(v.Trust)
	if err != nil {
		return err
	}
	head, err := verify(ctx, v.File, v.limits(), v.SDK, trusted)
	if err != nil {
		return cannot("verify", v.File, err)
	}
	return c.answer(verified{v.File, head.Index.SystemVersion, head.Digest.String(), head.Index.Publisher.String()},
		fmt.Sprintf("%s: version %s, %s, verified\nindex sha256: %s\nsigned by: %s\n", show(v.File), head.Index.SystemVersion,
			count(len(head.Index.Bundles), "bundle"), head.Digest, head.Index.Publisher))
}

// verified is what is known of a set that passed, as JSON.
type verified struct {
	File          string `json:"file"`
	SystemVersion string `json:"systemVersion"`
	IndexSHA256   string `json:"indexSha256"`
	SignedBy      string `json:"signedBy"`
}
