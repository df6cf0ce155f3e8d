package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"nexus/capnpgen/bundle"
	rpc "nexus/capnpgen/powers"
	"nexus/daemons/convert"
)

// stateVerb is about what bundles keep.
type stateVerb struct {
	List   stateListVerb   `cmd:"" default:"1" help:"List what bundles keep."`
	Export stateExportVerb `cmd:"" help:"Write the state of a bundle to standard output, as a tar archive."`
	Import stateImportVerb `cmd:"" help:"Replace the state of a bundle with a tar archive, from the next start of its program on."`
}

// stateListVerb lists what bundles keep.
type stateListVerb struct{}

// A bundleState is what one bundle keeps.
type bundleState struct {
	Bundle  string `json:"bundle"`
	Size    uint64 `json:"sizeBytes"`
	Quota   uint64 `json:"quotaBytes"` // 0: its program has not been started yet
	Kept    uint32 `json:"kept"`       // earlier states beside it
	Bounded bool   `json:"bounded"`    // the quota holds
}

// Run asks for the list and shows it.
func (*stateListVerb) Run(ctx context.Context, in *invocation) error {
	return show(ctx, in, "list state", "", bundleStates, printBundleStates)
}

func printBundleStates(w io.Writer, all []bundleState) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no bundle keeps state")
		return
	}
	rows := [][]string{{"BUNDLE", "SIZE", "QUOTA", "KEPT"}}
	for _, b := range all {
		quota := "-"
		if b.Quota > 0 {
			quota = memoryText(b.Quota)
		}
		if !b.Bounded {
			quota += " (not held)"
		}
		rows = append(rows, []string{b.Bundle, memoryText(b.Size), quota, fmt.Sprint(b.Kept)})
	}
	table(w, rows)
}

// stateExportVerb saves the state of a bundle.
type stateExportVerb struct {
	Bundle string `arg:"" help:"The bundle."`
}

// Run writes the archive.
func (v *stateExportVerb) Run(ctx context.Context, in *invocation) error {
	if err := in.notToTerminal("state export"); err != nil {
		return err
	}
	return in.with(ctx, func(s *session) error {
		if err := exportState(ctx, &s.facets, v.Bundle, in.host.Stdout); err != nil {
			return cannot("export state of", v.Bundle, err)
		}
		return nil
	})
}

// stateImportVerb replaces the state of a bundle.
type stateImportVerb struct {
	Bundle string `arg:"" help:"The bundle."`
	File   string `arg:"" help:"The archive, as written by export."`
}

// An imported is the answer to an import.
type imported struct {
	Bundle string `json:"bundle"`
}

// Run sends the archive.
func (v *stateImportVerb) Run(ctx context.Context, in *invocation) error {
	f, err := os.Open(v.File)
	if err != nil {
		return cannot("import state from", v.File, plain(err))
	}
	defer f.Close()
	return in.with(ctx, func(s *session) error {
		if err := importState(ctx, &s.facets, v.Bundle, f); err != nil {
			return cannot("import state of", v.Bundle, err)
		}
		return in.answer(imported{v.Bundle}, func(w io.Writer) {
			fmt.Fprintf(w, "the state of %s is replaced: it counts from the next start of its program on\n", v.Bundle)
		})
	})
}

func bundleStates(ctx context.Context, f *facets) ([]bundleState, error) {
	keeper, drop := f.stateKeeper(ctx)
	defer drop()
	answer, release := keeper.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Bundles()
	if err != nil {
		return nil, err
	}
	var r reader
	all := []bundleState{}
	for i := range r.Items(list.Len()) {
		m := list.At(i)
		all = append(all, bundleState{r.Text(m.Bundle()), m.SizeBytes(), m.QuotaBytes(), m.Kept(), m.Bounded()})
	}
	return all, r.Err
}

func exportState(ctx context.Context, f *facets, name string, out io.Writer) error {
	keeper, drop := f.stateKeeper(ctx)
	defer drop()
	answer, release := keeper.Export(ctx, func(p rpc.StateKeeper_export_Params) error { return p.SetBundle(name) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	if err := convert.Refused(res.Refusal()); err != nil {
		return err
	}
	return copyBlob(ctx, res.Archive(), out)
}

// copyBlob writes what a blob holds.
func copyBlob(ctx context.Context, blob bundle.Blob, out io.Writer) error {
	return copyPieces(out, func(offset uint64) (piecesAnswer, func(), error) {
		answer, release := blob.Read(ctx, func(p bundle.Blob_read_Params) error {
			p.SetOffset(offset)
			p.SetCount(uint32(bundle.MaxReadBytes))
			return nil
		})
		res, err := answer.Struct()
		return res, release, err
	})
}

// A piecesAnswer is the answer to a read of one piece; the one behind the last is empty.
type piecesAnswer interface{ Bytes() ([]byte, error) }

// copyPieces writes what is read piece by piece.
func copyPieces(out io.Writer, read func(offset uint64) (piecesAnswer, func(), error)) error {
	for offset := uint64(0); ; {
		answer, release, err := read(offset)
		n := 0
		if err == nil {
			n, err = copyPiece(answer, out)
		}
		release()
		if err != nil || n == 0 {
			return err
		}
		offset += uint64(n)
	}
}

func copyPiece(answer piecesAnswer, out io.Writer) (int, error) {
	piece, err := answer.Bytes()
	if err != nil || len(piece) == 0 {
		return 0, err
	}
	return out.Write(piece)
}

func importState(ctx context.Context, f *facets, name string, in io.Reader) error {
	keeper, drop := f.stateKeeper(ctx)
	defer drop()
	begun, release := keeper.Import(ctx, func(p rpc.StateKeeper_import_Params) error { return p.SetBundle(name) })
	defer release()
	res, err := begun.Struct()
	if err != nil {
		return err
	}
	if err := convert.Refused(res.Refusal()); err != nil {
		return err
	}
	if err := sendPieces(ctx, res.Sink(), in); err != nil {
		return err
	}
	done, release := res.Sink().Done(ctx, nil)
	defer release()
	end, err := done.Struct()
	if err != nil {
		return err
	}
	return convert.Refused(end.Refusal())
}

// sendPieces sends an archive, until it is over or the other side takes no more: Done says why.
func sendPieces(ctx context.Context, sink rpc.StateSink, in io.Reader) error {
	piece := make([]byte, 512<<10)
	for {
		n, err := io.ReadFull(in, piece)
		if n > 0 {
			answer, release := sink.Write(ctx, func(p rpc.StateSink_write_Params) error {
				return p.SetBytes(piece[:n])
			})
			_, failed := answer.Struct()
			release()
			if failed != nil {
				return nil
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return plain(err)
		}
	}
}
