package updater_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/delta"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
	"nexus/libupdates/updater"
	"nexus/libupdates/updatestest"
)

// notes is the one bundle of a set.
func notes(version string) []updatestest.Made {
	payload := version + strings.Repeat(" is one version of the notes", 20)
	return []updatestest.Made{updatestest.Bundle("notes", version, nil, []byte(payload), updatestest.Key(1))}
}

// stageAll stages an archive.
func stageAll(t *testing.T, engine *updater.Engine, raw []byte) error {
	t.Helper()
	stage, err := engine.Staging.Stage(t.Context(), updater.Request{Life: t.Context(), Size: uint64(len(raw)),
		Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	stage.Write(raw)
	_, _, err = stage.Finish(t.Context())
	return err
}

// A delta may build on a set that is only staged, which it supersedes. Its patches are applied by whom the engine is
// given for that, and what the device holds is what such a delta may build on.
func TestDeltaOnTheStagedSet(t *testing.T) {
	cfg, patched := device(), 0
	cfg.Patch = func(_ context.Context, p delta.Patch, w io.Writer, old io.ReaderAt, in io.Reader, from int64) error {
		patched++
		return p.Apply(w, old, in, from)
	}
	engine, err := updater.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, first, second := updatestest.Key(1), notes("1.0.0"), notes("1.1.0")
	up := updatestest.Delta(t, key, "1.1.0", first, second)
	if held := engine.Held(); len(held) > 0 {
		t.Errorf("an empty device holds %v", held)
	}
	if err := stageAll(t, engine, up); refusal.Of(err) != refusal.MissingBase {
		t.Errorf("without its base: %v", err)
	}
	if err := stageAll(t, engine, updatestest.Archive(t, key, "1.0.0", first...)); err != nil {
		t.Fatal(err)
	}
	if held := engine.Held(); !slices.Equal(held, []nxs.Digest{first[0].Entry.PayloadSHA256}) {
		t.Errorf("the device holds %v", held)
	}
	if err := stageAll(t, engine, up); err != nil || patched != 1 {
		t.Fatalf("%d patches, %v", patched, err)
	}
	if held := engine.Held(); !slices.Equal(held, []nxs.Digest{second[0].Entry.PayloadSHA256}) {
		t.Errorf("the device holds %v", held)
	}
}
