package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
	"nexus/packaging/printing"
)

// listVerb lists what bundles consist of.
type listVerb struct {
	Path string `arg:"" optional:"" help:"A bundle, or one of its files; without it, all bundles are listed."`
}

// A fileState is one file or directory.
type fileState struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size uint64 `json:"sizeBytes"`
}

// Run lists a directory, or shows one file.
func (v *listVerb) Run(ctx context.Context, in *invocation) error {
	return show(ctx, in, "list", v.Path, func(ctx context.Context, f *facets) ([]fileState, error) {
		return filesAt(ctx, f, v.Path)
	}, printFiles)
}

func printFiles(w io.Writer, all []fileState) {
	rows := [][]string{{"NAME", "SIZE"}}
	for _, f := range all {
		if f.Type == packagefs.FileType_directory.String() {
			rows = append(rows, []string{f.Name + "/", "-"})
			continue
		}
		rows = append(rows, []string{f.Name, humanize.IBytes(f.Size)})
	}
	table(w, rows)
}

// filesAt are the entries of the directory at a path, or the file that is there.
func filesAt(ctx context.Context, f *facets, path string) ([]fileState, error) {
	packages, done := f.packageFs(ctx)
	defer done()
	info, release := packages.Stat(ctx, func(p packagefs.PackageFs_stat_Params) error { return p.SetPath(path) })
	defer release()
	found, err := info.Struct()
	if err != nil {
		return nil, err
	}
	one, err := found.Info()
	if err != nil {
		return nil, err
	}
	var r reader
	if one.Type() == packagefs.FileType_file {
		return []fileState{r.file(one)}, r.Err
	}
	answer, release := packages.List(ctx, func(p packagefs.PackageFs_list_Params) error { return p.SetPath(path) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Entries()
	if err != nil {
		return nil, err
	}
	all := []fileState{}
	for i := range r.Items(list.Len()) {
		all = append(all, r.file(list.At(i)))
	}
	return all, r.Err
}

func (r *reader) file(m packagefs.FileInfo) fileState {
	return fileState{Name: r.Text(m.Name()), Type: nameOf(m.Type().String()), Size: m.SizeBytes()}
}

// catVerb writes a file of a bundle to standard output.
type catVerb struct {
	Path string `arg:"" help:"The file: BUNDLE/manifest.nxb or BUNDLE/payload.elf."`
}

// Run exits 0 only if every byte was written, and all of them are the signed ones.
func (v *catVerb) Run(ctx context.Context, in *invocation) error {
	if in.json {
		return wrongUsage("cat writes the file as it is, not as JSON")
	}
	if err := in.notToTerminal("cat"); err != nil {
		return err
	}
	return in.with(ctx, func(s *session) error {
		if err := copyFile(ctx, &s.facets, v.Path, in.host.Stdout); err != nil {
			return cannot("read", v.Path, err)
		}
		return nil
	})
}

// notToTerminal refuses to write what a bundle consists of, or keeps, where it could drive a terminal.
func (t *terminal) notToTerminal(verb string) error {
	if !t.showsToTerminal() {
		return nil
	}
	return wrongUsage("%s writes no bytes of a bundle to a terminal: redirect it to a file", verb)
}

// showsToTerminal reports whether what the command writes is seen by people.
func (t *terminal) showsToTerminal() bool {
	out, is := t.host.Stdout.(*printing.Output)
	if !is {
		return false
	}
	file, is := out.To.(*os.File)
	return is && term.IsTerminal(int(file.Fd()))
}

// copyFile writes the file at a path, and refuses it as Stale if it was replaced meanwhile.
func copyFile(ctx context.Context, f *facets, path string, out io.Writer) error {
	packages, done := f.packageFs(ctx)
	defer done()
	hash := sha256.New()
	err := copyPieces(io.MultiWriter(out, hash), func(offset uint64) (piecesAnswer, func(), error) {
		answer, release := packages.Read(ctx, func(p packagefs.PackageFs_read_Params) error {
			p.SetOffset(offset)
			p.SetCount(uint32(bundle.MaxReadBytes))
			return p.SetPath(path)
		})
		res, err := answer.Struct()
		return res, release, err
	})
	if err != nil {
		return err
	}
	want, err := signedDigest(ctx, f, path)
	if err == nil && !bytes.Equal(hash.Sum(nil), want) {
		err = refusal.New(refusal.Stale, "it was replaced while it was read")
	}
	return err
}

// signedDigest returns the digest that the signed index has of a file; nil if its bundle is not published.
func signedDigest(ctx context.Context, f *facets, path string) ([]byte, error) {
	bundles, done := f.bundles(ctx)
	defer done()
	name, file, _ := strings.Cut(path, "/")
	answer, release := bundles.Query(ctx, func(p bundle.BundleMgr_query_Params) error { return p.SetName(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil || !res.Found() {
		return nil, err
	}
	found, err := res.Bundle()
	if err != nil {
		return nil, err
	}
	digest := found.PayloadSha256
	if file == nxb.ManifestFile {
		digest = found.ManifestSha256
	}
	raw, err := digest()
	return bytes.Clone(raw), err
}
