package initd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sync"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/operator"
	"nexus/capnpgen/powers"
	"nexus/daemons/blob"
	"nexus/daemons/convert"
	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/bundlestate"
	"nexus/libupdates/nxb"
	"nexus/libupdates/nxs"
	"nexus/libupdates/refusal"
)

// Bounds of what operators do with state.
const (
	maxStates   = 4096      // bundles in a list
	maxPiece    = 1 << 20   // bytes of a piece of an archive
	archiveRoom = 128 << 20 // bytes of an archive beside what its files hold
)

// State hands out the right to look after the state of bundles.
func (o *operatorServer) State(_ context.Context, call operator.Operator_state) error {
	return vat.Give(call.AllocResults, operator.Operator_state_Results.SetKeeper,
		powers.StateKeeper_ServerToClient(keeperServer{o.s.states, o.s.log, o.caller()}))
}

// A keeperServer is the StateKeeper capability.
type keeperServer struct {
	keeper *stateKeeper // nil: bundles keep none
	log    *logclient.Log
	by     logclient.Caller
}

// List tells what bundles keep.
func (s keeperServer) List(ctx context.Context, call powers.StateKeeper_list) error {
	call.Go()
	all, err := s.keeper.list(ctx)
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	list, err := res.NewBundles(int32(len(all)))
	if err != nil {
		return err
	}
	for i, b := range all {
		m := list.At(i)
		m.SetSizeBytes(b.size)
		m.SetQuotaBytes(uint64(b.quota))
		m.SetKept(uint32(b.kept))
		m.SetBounded(s.keeper.images)
		if err := m.SetBundle(b.bundle); err != nil {
			return err
		}
	}
	return nil
}

// A keptState is what one bundle keeps.
type keptState struct {
	bundle string
	size   uint64
	quota  int64
	kept   int
}

func (k *stateKeeper) list(ctx context.Context) (all []keptState, err error) {
	if k == nil {
		return nil, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	bundles, err := k.store().Bundles()
	if err != nil {
		return nil, err
	}
	now, err := k.now(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range bundles[:min(len(bundles), maxStates)] {
		used, kept, err := k.store().Now(name, now.of(name).wantOf(name))
		if err != nil {
			return nil, err
		}
		size, err := plat.DiskUse(k.dir, used)
		if err != nil {
			return nil, err
		}
		all = append(all, keptState{name, size, k.opened[name].quota, len(kept)})
	}
	return all, nil
}

// Export hands out the state of a bundle as an archive.
func (s keeperServer) Export(ctx context.Context, call powers.StateKeeper_export) error {
	call.Go()
	name, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	file, err := s.keeper.export(ctx, name)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return res.SetArchive(bundle.Blob_ServerToClient(&blob.Blob{File: file, Digest: nxs.Digest{}}))
}

// export writes the archive to a file without a name.
func (k *stateKeeper) export(ctx context.Context, name string) (*archiveFile, error) {
	if err := k.mayName(name); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.now(ctx)
	if err != nil {
		return nil, err
	}
	used, _, err := k.store().Now(name, now.of(name).wantOf(name))
	if err != nil {
		return nil, err
	}
	if used == "" {
		return nil, unknownState(name)
	}
	tree, done, err := k.lookInto(name, used)
	if err != nil {
		return nil, err
	}
	defer done()
	file, err := k.nameless()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	if err := errors.Join(bundlestate.Export(buffered, tree), buffered.Flush()); err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot export state of %s: %w", name, err)
	}
	return newArchiveFile(file)
}

// mayName refuses what is not a bundle that keeps state.
func (k *stateKeeper) mayName(name string) error {
	if k == nil || nxb.CheckName(name) != nil {
		return unknownState(name)
	}
	return nil
}

func unknownState(name string) error {
	return refusal.New(refusal.UnknownBundle, "%.64q keeps no state", name)
}

// lookInto opens what a program sees of a generation. What is mounted for that is unmounted by done.
func (k *stateKeeper) lookInto(bundle, name string) (tree *os.Root, done func(), err error) {
	kind, err := k.store().Disk.Kind(name)
	if err != nil {
		return nil, nil, err
	}
	if kind != 0 {
		tree, err = k.root.OpenRoot(name)
		return tree, func() { tree.Close() }, err
	}
	at := filepath.Join(k.view, bundle+lookSuffix)
	use := k.opened[bundle]
	if use.quota == 0 {
		use.quota = bundlestate.ImageSize // nobody runs on it: there is nothing to bound
	}
	path, err := plat.MountImage(k.dir, name, at, use.quota, k.owner(use.user))
	if err != nil {
		return nil, nil, err
	}
	if tree, err = os.OpenRoot(path); err != nil {
		plat.Detach(at)
		return nil, nil, err
	}
	return tree, func() {
		tree.Close()
		plat.Detach(at)
		os.Remove(at)
	}, nil
}

// lookSuffix is behind a bundle's name where its state is mounted for the first process; no bundle has such a name.
const lookSuffix = ".,look"

// nameless makes a file that is gone once it is closed.
func (k *stateKeeper) nameless() (*os.File, error) {
	const name = ".archive" // under the lock, and no bundle's name
	k.root.Remove(name)
	f, err := k.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := k.root.Remove(name); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// An archiveFile is a file of known size.
type archiveFile struct {
	*os.File
	size int64
}

func newArchiveFile(f *os.File) (*archiveFile, error) {
	size, err := f.Seek(0, io.SeekEnd)
	return &archiveFile{f, size}, err
}

// Size returns the size in bytes.
func (f *archiveFile) Size() int64 { return f.size }

// Import begins to take an archive.
func (s keeperServer) Import(_ context.Context, call powers.StateKeeper_import) error {
	call.Go() // it waits for an export
	name, err := call.Args().Bundle()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	sink, err := s.keeper.begin(name)
	if err != nil {
		s.audit(name, err)
		return convert.Refuse(res.NewRefusal, err)
	}
	sink.server = s
	return res.SetSink(powers.StateSink_ServerToClient(sink))
}

func (k *stateKeeper) begin(name string) (*stateSink, error) {
	if err := k.mayName(name); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	use, known := k.opened[name]
	if !known {
		return nil, refusal.New(refusal.UnknownBundle, "%s has not been started with state since the system was", name)
	}
	file, err := k.nameless()
	return &stateSink{bundle: name, use: use, file: file}, err
}

func (s keeperServer) audit(name string, err error) {
	a := logclient.Audit{Op: "state", Detail: fmt.Sprintf("import bundle=%.64q", name), By: s.by}
	s.log.Audit(a.Outcome(err))
}

// A stateSink is the StateSink capability: it keeps an archive until it is whole.
type stateSink struct {
	server keeperServer
	bundle string
	use    opened

	mu     sync.Mutex
	file   *os.File
	size   int64
	failed error
	over   bool
}

// Write takes the next bytes.
func (s *stateSink) Write(_ context.Context, call powers.StateSink_write) error {
	piece, err := call.Args().Bytes()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.size += int64(len(piece)); {
	case s.over || len(piece) > maxPiece:
		return errors.New("cannot take archive: it is over, or the piece is over 1 MiB")
	case s.failed != nil:
	case s.size > s.use.quota+archiveRoom:
		s.failed = refusal.New(refusal.NoSpace, "the archive holds more than the quota")
	default:
		_, s.failed = io.Copy(s.file, bytes.NewReader(piece))
	}
	return convert.Except(s.failed)
}

// Done replaces the state.
func (s *stateSink) Done(ctx context.Context, call powers.StateSink_done) error {
	call.Go()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errors.New("cannot end archive: it is over")
	}
	s.over = true
	if err = s.failed; err == nil {
		err = s.server.keeper.replace(ctx, s.bundle, s.use, s.file)
	}
	s.server.audit(s.bundle, err)
	if err != nil {
		return convert.Refuse(res.NewRefusal, err)
	}
	return nil
}

// Shutdown runs when the sender has dropped the sink.
func (s *stateSink) Shutdown() { s.file.Close() }

// replace makes what an archive holds the state of a bundle.
func (k *stateKeeper) replace(ctx context.Context, bundle string, use opened, archive *os.File) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.now(ctx)
	if err != nil {
		return err
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return k.store().Replace(bundle, now.of(bundle).wantOf(bundle), func(name string) error {
		tree, done, err := k.lookInto(path.Dir(name), name)
		if err != nil {
			return err
		}
		defer done()
		if err := bundlestate.Import(bufio.NewReaderSize(archive, 1<<20), tree, use.quota); err != nil {
			return err
		}
		return plat.SyncTree(tree, k.owner(use.user))
	})
}
