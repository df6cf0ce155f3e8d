package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// limits are the policy flags that large inputs need.
const limits = "--limit-archive 16GiB --limit-payload 16GiB"

// Our scripts.
const (
	pack = `"$BIN/nxs-pack" --input "$INPUT" --meta "$WORK/set.toml" --key "$KEY" ` + limits +
		` --output "$OUT/set.nxs" >/dev/null`
	verify = `"$BIN/nxs-pack" verify ` + limits + ` --trust "$KEY.pub" "$WORK/set.nxs" >/dev/null`
	meta   = `printf 'system_version = "1.0.0"\n' >set.toml`
	ready  = meta + "\n" + `"$BIN/nxs-pack" --input "$INPUT" --meta set.toml --key "$KEY" ` + limits +
		` --output set.nxs >/dev/null; cat set.nxs >/dev/null`
)

// tables returns all tables.
func tables() []Table {
	return []Table{
		packing(small(), 0),
		packing(large(), 1.3),
		packingOne(),
		verifying(small(), 0),
		verifying(large(), 0.4),
		verifyingOne(),
		staging(small(), 0),
		staging(large(), 0.25),
		carrying(),
		memory(),
		edges(),
	}
}

func packing(in Input, aim float64) Table {
	return Table{
		Title: fmt.Sprintf("pack and sign %d bundles, %d MiB (%s)", in.Bundles, in.Size>>20, in.Name),
		Input: in, Quick: in.Size < large().Size, Setup: meta, Floor: "tar", Ours: "nxs-pack, durable", Aim: aim,
		Rows: append([]Row{
			{Name: "cp -r", Run: Shell(`cp -r "$INPUT" "$OUT/copy"`)},
			{Name: "tar", Run: Shell(`tar cf "$OUT/set.tar" -C "$INPUT" .`)},
			{Name: "tar + sync", Run: Shell(`tar cf "$OUT/set.tar" -C "$INPUT" .; sync "$OUT/set.tar"`)},
			{Name: "tar + openssl dgst, 2 processes", Needs: []string{"openssl"},
				Run: Shell(
					`find "$INPUT" -name payload.elf -print0 | xargs -0 -P2 -n"$HALF" openssl dgst -sha256 >"$OUT/sums"; tar cf "$OUT/set.tar" -C "$INPUT" .`)},
			{Name: "nxs-pack, durable", Run: Shell(pack)},
		}, packers()...),
	}
}

func packingOne() Table {
	return Table{
		Title: "pack and sign one payload of 1 GiB", Input: one(), Setup: meta, Floor: "SHA-256 in Go, one stream",
		Ours: "nxs-pack, durable", Aim: 1.1,
		Rows: []Row{
			{Name: "SHA-256 in Go, one stream",
				Run: Shell(`"$SELF" sha256 "$INPUT/bundle00.nxb/payload.elf" >/dev/null`)},
			{Name: "cp", Run: Shell(`cp "$INPUT/bundle00.nxb/payload.elf" "$OUT/copy"`)},
			{Name: "cp + sync", Run: Shell(`cp "$INPUT/bundle00.nxb/payload.elf" "$OUT/copy"; sync "$OUT/copy"`)},
			{Name: "tar", Run: Shell(`tar cf "$OUT/set.tar" -C "$INPUT" .`)},
			{Name: "nxs-pack, durable", Run: Shell(pack)},
		},
	}
}

func verifying(in Input, aim float64) Table {
	return Table{
		Title: fmt.Sprintf("verify %d bundles, %d MiB (%s)", in.Bundles, in.Size>>20, in.Name),
		Input: in, Quick: in.Size < large().Size, Setup: ready, Floor: "openssl dgst, 2 processes",
		Ours: "nxs-pack verify", Aim: aim,
		Rows: append([]Row{
			{Name: "cat", Run: Shell(`cat "$WORK/set.nxs" >/dev/null`)},
			{Name: "openssl dgst, 2 processes", Needs: []string{"openssl"},
				Run: Shell(
					`find "$INPUT" -name payload.elf -print0 | xargs -0 -P2 -n"$HALF" openssl dgst -sha256 >/dev/null`)},
			{Name: "SHA-256 in Go, one stream", Run: Shell(`"$SELF" sha256 "$WORK/set.nxs" >/dev/null`)},
			{Name: "nxs-pack verify", Run: Shell(verify)},
		}, verifiers()...),
	}
}

func verifyingOne() Table {
	return Table{
		Title: "verify one payload of 1 GiB", Input: one(), Setup: ready, Floor: "openssl dgst, one stream",
		Ours: "nxs-pack verify", Aim: 0.35,
		Rows: []Row{
			{Name: "cat", Run: Shell(`cat "$WORK/set.nxs" >/dev/null`)},
			{Name: "openssl dgst, one stream", Needs: []string{"openssl"},
				Run: Shell(`openssl dgst -sha256 "$INPUT/bundle00.nxb/payload.elf" >/dev/null`)},
			{Name: "SHA-256 in Go, one stream",
				Run: Shell(`"$SELF" sha256 "$INPUT/bundle00.nxb/payload.elf" >/dev/null`)},
			{Name: "nxs-pack verify", Run: Shell(verify)},
		},
	}
}

// memory compares peaks: those of packing and verifying with that of a process that does nothing, and that of updated
// with its own after the start.
func memory() Table {
	t := Table{Title: "peak memory, payloads of holes", Once: true, Setup: meta}
	t.Rows = []Row{{Name: "nxs-pack --help", Run: Shell(`"$BIN/nxs-pack" --help >/dev/null`)}}
	for _, gib := range []int64{1, 8} {
		in := sparse(gib << 30)
		t.Rows = append(t.Rows,
			Row{Name: fmt.Sprintf("pack %d GiB, then verify", gib), Run: with(in, packAndVerify)},
			Row{Name: fmt.Sprintf("nx stage, %d GiB: updated beyond its start", gib), Run: packAndStage(in)})
	}
	return t
}

const packAndVerify = pack + "\n" + `"$BIN/nxs-pack" verify ` + limits + ` --trust "$KEY.pub" "$OUT/set.nxs" >/dev/null`

// edges uses sizes around the limits of signed and unsigned 32-bit integers, and one far above. What is packed must
// verify, and a device must accept it.
func edges() Table {
	t := Table{Title: "sizes at which 32 bits end: pack, verify and stage", Once: true, Setup: meta}
	for _, edge := range []struct{ bits, by int64 }{{31, -1}, {31, 0}, {31, 1}, {32, -1}, {32, 0}, {32, 1}, {33, 0}} {
		in := sparse(int64(1)<<edge.bits + edge.by)
		t.Rows = append(t.Rows, Row{Name: fmt.Sprintf("2^%d%+d bytes", edge.bits, edge.by),
			Run: func(ctx context.Context, p Place) (Figures, error) {
				packed, err := with(in, packAndVerify)(ctx, p)
				if err != nil {
					return nil, err
				}
				staged, err := stageOnce(ctx, p, filepath.Join(p.Out, "set.nxs"))
				if err != nil {
					return nil, err
				}
				return Figures{packed[seconds] + staged[seconds], max(packed[peak], staged[peak])}, nil
			}})
	}
	return t
}
