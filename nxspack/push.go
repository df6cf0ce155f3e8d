package nxspack

import (
	"bytes"
	"context"
	"fmt"

	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/oci"
)

// pushVerb pushes a set.
type pushVerb struct {
	registryFlags
	Delta     []string `sep:"none" placeholder:"FILE.nxdelta" help:"A delta that makes the set, pushed beside it. May be repeated."`
	File      string   `arg:"" help:"The set."`
	Reference string   `arg:"" placeholder:"oci://HOST[:PORT]/NAME:TAG" help:"Where to push it: oci://HOST[:PORT]/NAME:TAG."`
}

// Run pushes what the registry lacks. The set is checked first; whether its publisher is trusted does not matter.
func (v *pushVerb) Run(ctx context.Context, c *command) error {
	ref, err := oci.Parse(v.Reference)
	if err != nil {
		return err
	}
	client, err := v.client(c, ref)
	if err != nil {
		return err
	}
	set, err := openSetFile(ctx, v.File)
	if err != nil {
		return cannot("push", v.File, err)
	}
	defer set.file.Close()
	deltas, err := openDeltas(ctx, v.Delta, set.head.Digest)
	defer closeDeltas(deltas)
	if err != nil {
		return err
	}
	done, err := client.Push(ctx, set.head.Index, set.head.Digest, set.blobs())
	if err != nil {
		return cannot("push", v.File, err)
	}
	pushed := []pushedDelta{}
	for _, d := range deltas {
		done, err := client.PushDelta(ctx, done, set.head.Index, set.head.Digest, d.sources)
		if err != nil {
			return cannot("push", d.name, err)
		}
		pushed = append(pushed, pushedDelta{d.name, done.Digest.String(), done.Blobs, done.Sent, done.Bytes})
	}
	return c.answer(pushedSet{ref.String(), set.head.Index.SystemVersion, set.head.Digest.String(),
		done.Digest.String(), done.Blobs, done.Sent, done.Bytes, pushed}, pushedText(ref, set, done, pushed))
}

// pushedSet is the JSON answer about a push.
type pushedSet struct {
	Reference      string        `json:"reference"`
	SystemVersion  string        `json:"systemVersion"`
	IndexSHA256    string        `json:"indexSha256"`
	ManifestSHA256 string        `json:"manifestSha256"`
	Blobs          int           `json:"blobs"`
	Pushed         int           `json:"pushed"`
	BytesPushed    int64         `json:"bytesPushed"`
	Deltas         []pushedDelta `json:"deltas"`
}

type pushedDelta struct {
	File           string `json:"file"`
	ManifestSHA256 string `json:"manifestSha256"`
	Blobs          int    `json:"blobs"`
	Pushed         int    `json:"pushed"`
	BytesPushed    int64  `json:"bytesPushed"`
}

func pushedText(ref oci.Reference, set *openSet, done *oci.Pushed, deltas []pushedDelta) string {
	text := fmt.Sprintf("%s: version %s, %d of %s pushed, %d bytes\nindex sha256: %s\nmanifest sha256: %s\n", ref,
		set.head.Index.SystemVersion, done.Sent, count(done.Blobs, "blob"), done.Bytes, set.head.Digest, done.Digest)
	for _, d := range deltas {
		text += fmt.Sprintf("%s: %d of %s pushed, %d bytes\n", show(d.File), d.Pushed, count(d.Blobs, "blob"),
			d.BytesPushed)
	}
	return text
}

// blobs returns the entries of the set's archive, with their contents.
func (s *openSet) blobs() []oci.Source {
	var all []oci.Source
	for _, e := range s.head.Entries() {
		all = append(all, source(e.Name, e.Content))
	}
	for i, p := range s.payloads {
		folder := p.Name + nxb.Suffix + "/"
		all = append(all, source(folder+nxb.ManifestFile, s.manifest[i]),
			oci.Source{Entry: oci.Entry{Name: folder + nxb.PayloadFile, Size: p.PayloadSize,
				Digest: p.PayloadSHA256}, Content: s.payload(i)})
	}
	return all
}

func source(name string, raw []byte) oci.Source {
	return oci.Source{Entry: oci.Entry{Name: name, Size: int64(len(raw)), Digest: nxs.Sum(raw)},
		Content: bytes.NewReader(raw)}
}
