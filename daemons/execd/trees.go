package execd

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"nexus/daemons/blob"
	"nexus/daemons/logclient"
	"nexus/daemons/vat"
	"nexus/libupdates/nxs"
	"nexus/libupdates/powers"
	"nexus/libupdates/refusal"
)

// trees are the trees of data bundles, unpacked into a folder where programs read them. A tree is verified as it is
// unpacked, and none is kept for another instance of execd, or another boot.
type trees struct {
	payloads *payloads
	log      *logclient.Log

	root  *os.Root
	using tokens          // one, for whoever changes what is in the folder
	ready map[string]bool // names of those that are complete; guarded by a token in using
	kept  []string        // names of those that the publication before asks for; likewise
}

// treesOf takes the folder from the endowments, and empties it.
func treesOf(ctx context.Context, b *vat.Endowments, payloads *payloads, log *logclient.Log) (*trees, error) {
	root, err := b.Dir(ctx, "trees")
	if err != nil {
		return nil, err
	}
	t := &trees{payloads: payloads, log: log, root: root, using: make(tokens, 1), ready: map[string]bool{}}
	return t, t.keep(nil)
}

// keep removes all other trees.
func (t *trees) keep(names []string) error {
	dir, err := t.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	found, err := dir.Readdirnames(-1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	for _, name := range found {
		if !wanted[name] || !t.ready[name] {
			delete(t.ready, name)
			err = errors.Join(err, t.root.RemoveAll(name))
		}
	}
	return err
}

// treeName is the name of a tree in the folder.
func treeName(data spec) string { return nxs.Digest(data.digest).String() }

// open makes sure that what a bundle reads is there, and returns the paths, for programs that find the folder at
// that one.
func (t *trees) open(ctx context.Context, spec spec, folder string) (paths map[string]string, err error) {
	paths = map[string]string{}
	for _, power := range powers.Of(powers.Data, spec.powers) {
		data, there := spec.data[power.Name]
		if !there {
			return nil, refusal.New(refusal.NoSuchData, "%s asks for %s, and %s is not a data bundle of the set",
				spec.name, power, power.Name)
		}
		if err := t.openTree(ctx, data); err != nil {
			return nil, err
		}
		paths[power.Variable()] = filepath.Join(folder, treeName(data))
	}
	return paths, nil
}

// openTree unpacks a tree, unless it is there.
func (t *trees) openTree(ctx context.Context, data spec) error {
	done, err := t.using.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	name := treeName(data)
	if t.ready[name] {
		return nil
	}
	err = t.payloads.read(ctx, data.name, func(_ *os.File, read blob.ReadFunc) error {
		return t.unpack(ctx, data, read)
	})
	switch {
	case err == nil:
		t.ready[name] = true
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		err = refusal.New(refusal.NoSpace, "there is no space to unpack the data of %s", data.name)
	}
	return errors.Join(err, t.root.RemoveAll(name))
}

// unpack unpacks a tree, from its beginning.
func (t *trees) unpack(ctx context.Context, data spec, read blob.ReadFunc) error {
	name := treeName(data)
	if err := t.root.RemoveAll(name); err != nil {
		return err
	}
	if err := t.root.Mkdir(name, 0o755); err != nil {
		return err
	}
	into, err := t.root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer into.Close()
	return blob.Unpack(ctx, data.entry(), read, into)
}

// prepare unpacks what the services of a publication read. A tree that cannot be unpacked is tried again, and
// reported, when its reader is started.
func (t *trees) prepare(ctx context.Context, p publication) {
	for _, service := range p.services() {
		for _, data := range service.data {
			if err := t.openTree(ctx, data); err != nil && ctx.Err() == nil {
				t.log.Warn("data is not unpacked yet", "bundle", data.name, "error", strings.TrimSpace(err.Error()))
			}
		}
	}
}

// tidy removes what neither this publication, with its apps, nor the one before reads: a rollback finds its trees.
func (t *trees) tidy(ctx context.Context, p publication) {
	done, err := t.using.take(ctx)
	if err != nil {
		return
	}
	defer done()
	var wanted []string
	for _, service := range p.all() {
		for _, data := range service.data {
			wanted = append(wanted, treeName(data))
		}
	}
	if err := t.keep(append(wanted, t.kept...)); err != nil {
		t.log.Warn("cannot remove the data of earlier sets", "error", err)
	}
	t.kept = wanted
}
