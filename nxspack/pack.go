package nxspack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// packVerb makes a system set.
type packVerb struct {
	Input  string `required:"" placeholder:"DIR" help:"Folder with the bundles, each a folder NAME.nxb made by nxb-pack."`
	Meta   string `required:"" placeholder:"FILE" help:"system-set.toml: system_version, timestamp_unix_ms."`
	Key    string `required:"" placeholder:"KEY" help:"${key}"`
	Output string `required:"" placeholder:"FILE.nxs" help:"Where the set goes."`
	limitFlags
}

// Run packs, and prints what a release note needs.
func (v *packVerb) Run(ctx context.Context, c *command) error {
	set, err := v.prepare(ctx, c)
	if err != nil {
		return err
	}
	defer set.close()
	err = c.publishFile(v.Output, func(f *os.File) error { return set.write(ctx, f) })
	if own, ok := errors.AsType[inputError](err); ok {
		return own.error
	}
	if err != nil {
		return cannot("pack", v.Output, err)
	}
	digest := nxs.Sum(set.rawIndex)
	return c.answer(struct {
		File          string `json:"file"`
		Size          int64  `json:"size"`
		SystemVersion string `json:"systemVersion"`
		IndexSHA256   string `json:"indexSha256"`
		Publisher     string `json:"publisher"`
		Bundles       int    `json:"bundles"`
	}{v.Output, set.size(), set.index.SystemVersion, digest.String(), set.index.Publisher.String(), len(set.bundles)},
		fmt.Sprintf("%s: version %s, %s, %d bytes\nindex sha256: %s\npublisher: %s\n", show(v.Output), set.index.SystemVersion,
			count(len(set.bundles), "bundle"), set.size(), digest, set.index.Publisher))
}

// prepare reads and checks everything but the payloads.
func (v *packVerb) prepare(ctx context.Context, c *command) (*preparedSet, error) {
	limits := v.limits()
	meta, err := readMeta(v.Meta)
	if err != nil {
		return nil, cannot("use", v.Meta, err)
	}
	key, err := c.signer(ctx, v.Key)
	if err != nil {
		return nil, err
	}
	bundles, err := readFolders(v.Input, limits)
	if err != nil {
		return nil, err
	}
	set, err := newPreparedSet(meta, bundles, key)
	if err == nil && set.size() > limits.Archive {
		err = refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", set.size(), limits.Archive)
	}
	if err != nil {
		closeFolders(bundles)
		return nil, cannot("pack", v.Output, err)
	}
	return set, nil
}

func sorted(bundles []bundleFolder) []bundleFolder {
	return slices.SortedFunc(slices.Values(bundles), func(a, b bundleFolder) int { return strings.Compare(a.entry.Name, b.entry.Name) })
}

// setMeta is system-set.toml.
type setMeta struct {
	SystemVersion   string     `toml:"system_version"`
	TimestampUnixMs int64      `toml:"timestamp_unix_ms"` // signed, because the library would wrap a negative one round in silence
	VersionFloor    string     `toml:"version_floor"`
	Health          healthMeta `toml:"health"`
}

func readMeta(name string) (setMeta, error) {
	text, err := readText(name)
	if err != nil {
		return setMeta{}, err
	}
	return decodeMeta(text)
}

func decodeMeta(text []byte) (setMeta, error) {
	var meta setMeta
	err := decodeToml(text, &meta, "system_version")
	if err == nil && meta.TimestampUnixMs < 0 {
		err = refusal.New(refusal.BadMetadata, "timestamp_unix_ms is negative")
	}
	return meta, err
}
