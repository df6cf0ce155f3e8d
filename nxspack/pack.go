package nxspack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// sourceFlags are the input of a set.
type sourceFlags struct {
	Input string `required:"" placeholder:"DIR" help:"Folder with the bundles. Each is a folder NAME.nxb made by nxb-pack."`
	Meta  string `required:"" placeholder:"FILE" help:"The file system-set.toml: system_version, timestamp_unix_ms, version_floor, health."`
	limitFlags
	deviceFlags
}

// packVerb packs a system set.
type packVerb struct {
	sourceFlags
	Key    string `required:"" placeholder:"KEY" help:"${key}"`
	Output string `required:"" placeholder:"FILE.nxs" help:"File for the set. It must be outside --input."`
}

// Run packs the set and prints version, digest and publisher, for release notes.
func (v *packVerb) Run(ctx context.Context, c *command) error {
	return v.pack(ctx, c, v.Output, func() (indexSigner, error) { return c.signer(ctx, v.Key) })
}

// pack packs a set and signs it.
func (f sourceFlags) pack(ctx context.Context, c *command, output string, key func() (indexSigner, error)) error {
	set, err := f.prepare(output, key)
	if err != nil {
		return err
	}
	defer set.close()
	err = c.publishFile(output, func(f *os.File) error { return set.write(ctx, f) })
	if own, ok := errors.AsType[inputError](err); ok {
		return own.error
	}
	if err != nil {
		return cannot("pack", output, err)
	}
	digest := nxs.Sum(set.rawIndex)
	return c.answer(struct {
		File          string `json:"file"`
		Size          int64  `json:"size"`
		SystemVersion string `json:"systemVersion"`
		IndexSHA256   string `json:"indexSha256"`
		Publisher     string `json:"publisher"`
		Bundles       int    `json:"bundles"`
		noted
	}{output, set.size(), set.index.SystemVersion, digest.String(), set.index.Publisher.String(), len(set.bundles),
		c.note(setNotes(set.bundles))},
		fmt.Sprintf("%s: version %s, %s, %d bytes\nindex sha256: %s\npublisher: %s\n", show(output),
			set.index.SystemVersion,
			count(len(set.bundles), "bundle"), set.size(), digest, set.index.Publisher))
}

// prepare reads and checks everything except the payloads.
func (f sourceFlags) prepare(output string, key func() (indexSigner, error)) (*preparedSet, error) {
	limits := f.limits()
	meta, err := readMeta(f.Meta)
	if err != nil {
		return nil, cannot("use", f.Meta, err)
	}
	if err := outside(f.Input, output, "it is in the folder of --input, which may only hold bundles"); err != nil {
		return nil, cannot("pack", output, err)
	}
	signer, err := key()
	if err != nil {
		return nil, err
	}
	bundles, err := readFolders(f.Input, device{limits, f.machine()})
	if err != nil {
		return nil, err
	}
	set, err := newPreparedSet(meta, bundles, signer)
	if err == nil && set.size() > limits.Archive {
		err = refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", set.size(),
			limits.Archive)
	}
	if err != nil {
		err = cannot("pack", output, err)
	} else {
		err = set.checkDemands(f.SDK)
	}
	if err != nil {
		closeFolders(bundles)
		return nil, err
	}
	return set, nil
}

// outside refuses an output in the input folder: it, or the next run, would find it there.
func outside(input, output, why string) error {
	into, err := filepath.EvalSymlinks(filepath.Dir(output))
	if err != nil {
		return nil // there is no such folder; writing to it will fail
	}
	for dir := into; ; dir = filepath.Join(dir, "..") {
		info, err := os.Stat(dir)
		if err != nil {
			return nil
		}
		if of, err := os.Stat(input); err == nil && os.SameFile(info, of) {
			return refusal.New(refusal.UnexpectedEntry, "%s", why)
		}
		if parent, err := os.Stat(filepath.Join(dir, "..")); err != nil || os.SameFile(info, parent) {
			return nil
		}
	}
}

func sorted(bundles []bundleFolder) []bundleFolder {
	return slices.SortedFunc(slices.Values(bundles),
		func(a, b bundleFolder) int { return strings.Compare(a.entry.Name, b.entry.Name) })
}

// setMeta is system-set.toml.
type setMeta struct {
	SystemVersion string `toml:"system_version"`
	// signed, because the library silently wraps negative values
	TimestampUnixMs int64      `toml:"timestamp_unix_ms"`
	ExpiresUnixMs   int64      `toml:"expires_unix_ms"`
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
	if err == nil && meta.ExpiresUnixMs < 0 {
		err = refusal.New(refusal.BadMetadata, "expires_unix_ms is negative")
	}
	return meta, err
}
