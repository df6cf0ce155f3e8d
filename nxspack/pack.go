package nxspack

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// packVerb makes a system set.
type packVerb struct {
	Input  string `required:"" placeholder:"DIR" help:"Folder with the bundles, each a folder NAME.nxb made by nxb-pack."`
	Meta   string `required:"" placeholder:"FILE" help:"system-set.toml: system_version, timestamp_unix_ms."`
	Key    string `required:"" placeholder:"KEY" help:"Seed file, OpenSSH Ed25519 key, or agent: for ssh-agent."`
	Output string `required:"" placeholder:"FILE.nxs" help:"Where the set goes."`
	limitFlags
}

// Run packs, and prints what a release note needs.
func (v *packVerb) Run(c *command) error {
	set, err := v.prepare()
	if err != nil {
		return err
	}
	if err := cannot("pack", v.Output, publishFile(v.Output, set.write)); err != nil {
		return err
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

// A preparedSet is all of a set but its payloads, which stay on disk.
type preparedSet struct {
	index     nxs.Index
	rawIndex  []byte
	signature []byte
	bundles   []bundleFolder
}

// prepare reads and checks everything, and signs. Nothing is written before it has passed.
func (v *packVerb) prepare() (*preparedSet, error) {
	limits := v.limits()
	meta, err := readMeta(v.Meta)
	if err != nil {
		return nil, cannot("use", v.Meta, err)
	}
	key, err := signer(v.Key)
	if err != nil {
		return nil, err
	}
	bundles, err := readFolders(v.Input, limits)
	if err != nil {
		return nil, err
	}
	set, err := seal(meta, bundles, key)
	if err == nil && set.size() > limits.Archive {
		err = refusal.New(refusal.ArchiveTooLarge, "archive of %d bytes is over the limit of %d", set.size(), limits.Archive)
	}
	return set, cannot("pack", v.Output, err)
}

// seal makes and signs the index of these bundles. The index is read back before it is signed: what a device would refuse is refused
// here, in the same words.
func seal(meta setMeta, bundles []bundleFolder, key trust.Signer) (*preparedSet, error) {
	set := &preparedSet{bundles: bundles}
	x := nxs.Index{SystemVersion: meta.SystemVersion, Publisher: key.Public(), TimestampUnixMs: uint64(meta.TimestampUnixMs)}
	for _, b := range bundles {
		x.Bundles = append(x.Bundles, b.entry)
	}
	err := meta.Health.apply(&x, bundles)
	if err != nil {
		return nil, err
	}
	if set.rawIndex, err = x.Encode(); err != nil {
		return nil, err
	}
	if set.index, err = nxs.ParseIndex(set.rawIndex); err != nil {
		return nil, err
	}
	set.signature, err = key.Sign(set.rawIndex)
	return set, err
}

// write writes the archive. Each payload is digested again while it is copied, so that a file which changes meanwhile is refused. At
// most nxs.MaxBundles files are open.
func (s *preparedSet) write(w io.Writer) error {
	sources := s.sources()
	for i, b := range s.bundles {
		f, err := os.Open(b.payload)
		if err != nil {
			return err
		}
		defer f.Close()
		sources[i].Payload = f
	}
	return nxs.Write(w, s.rawIndex, s.signature, sources)
}

// sources are the bundles as the writer takes them, but for their payloads.
func (s *preparedSet) sources() []nxs.Source {
	sources := make([]nxs.Source, len(s.bundles))
	for i, b := range s.bundles {
		sources[i] = nxs.Source{Entry: b.entry, RawManifest: b.rawManifest}
	}
	return sources
}

// size is the size of the archive in bytes.
func (s *preparedSet) size() int64 { return nxs.ArchiveSize(s.rawIndex, s.signature, s.sources()) }

func sorted(bundles []bundleFolder) []bundleFolder {
	return slices.SortedFunc(slices.Values(bundles), func(a, b bundleFolder) int { return strings.Compare(a.entry.Name, b.entry.Name) })
}

// setMeta is system-set.toml.
type setMeta struct {
	SystemVersion   string     `toml:"system_version"`
	TimestampUnixMs int64      `toml:"timestamp_unix_ms"` // signed, because the library would wrap a negative one round in silence
	Health          healthMeta `toml:"health"`
}

func readMeta(name string) (setMeta, error) {
	var meta setMeta
	err := readToml(name, &meta, "system_version")
	if err == nil && meta.TimestampUnixMs < 0 {
		err = refusal.New(refusal.BadMetadata, "timestamp_unix_ms is negative")
	}
	return meta, err
}
