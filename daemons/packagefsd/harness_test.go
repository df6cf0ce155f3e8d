package packagefsd_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/bundle"
	"nexus/capnpgen/packagefs"
	"nexus/capnpgen/registry"
	"nexus/daemons/packagefsd"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/daemons/vat/vattest"
)

func start(t testing.TB) *vattest.Daemon {
	t.Helper()
	return vattest.Start(t, func(ctx context.Context, b *vat.Endowments) error {
		return packagefsd.Run(ctx, b, plat.Host{Clock: plat.RealClock{}})
	})
}

// A shelf is a BundleMgr that the test controls: bundles with their files.
type shelf struct {
	bundles map[string]files
	apps    []string              // those of the bundles that are packages of apps
	asks    map[string][]string   // what a bundle asks for
	hold    func(context.Context) // called in each query, if not nil
	digests sync.Map              // of payloads, by where they begin
}

type files struct{ manifest, payload []byte }

func (s *shelf) client() capnp.Client { return capnp.Client(bundle.BundleMgr_ServerToClient(s)) }

func (s *shelf) names() []string {
	var names []string
	for name := range s.bundles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *shelf) List(_ context.Context, call bundle.BundleMgr_list) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	publication, err := res.NewPublication()
	if err != nil {
		return err
	}
	system := slices.DeleteFunc(s.names(), func(name string) bool { return slices.Contains(s.apps, name) })
	if err := publish(publication, system); err != nil || len(s.apps) == 0 {
		return err
	}
	apps, err := publication.NewApps(int32(len(s.apps)))
	for i := 0; i < len(s.apps) && err == nil; i++ {
		err = publish(apps.At(i), s.apps[i:i+1])
	}
	return err
}

func publish(publication bundle.Publication, names []string) error {
	list, err := publication.NewBundles(int32(len(names)))
	for i := 0; i < len(names) && err == nil; i++ {
		err = list.At(i).SetName(names[i])
	}
	return err
}

func (s *shelf) Query(ctx context.Context, call bundle.BundleMgr_query) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	if s.hold != nil {
		call.Go()
		s.hold(ctx)
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	f, found := s.bundles[name]
	res.SetFound(found)
	b, err := res.NewBundle()
	if err != nil {
		return err
	}
	b.SetManifestSize(uint64(len(f.manifest)))
	b.SetPayloadSize(uint64(len(f.payload)))
	if err := b.SetPayloadSha256(s.digest(f.payload)); err != nil {
		return err
	}
	return vat.SetTexts(b.NewCapabilities, s.asks[name])
}

// digest is the digest of a payload. Like bundlemgrd, it does not compute that for each call.
func (s *shelf) digest(payload []byte) []byte {
	sum, known := s.digests.Load(unsafe.SliceData(payload))
	if !known {
		sum = sha256.Sum256(payload)
		s.digests.Store(unsafe.SliceData(payload), sum)
	}
	of := sum.([sha256.Size]byte)
	return of[:]
}

func (s *shelf) OpenManifest(_ context.Context, call bundle.BundleMgr_openManifest) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetBlob(bundle.Blob_ServerToClient(blob(s.bundles[name].manifest)))
}

func (s *shelf) OpenPayload(_ context.Context, call bundle.BundleMgr_openPayload) error {
	name, err := call.Args().Name()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetBlob(bundle.Blob_ServerToClient(blob(s.bundles[name].payload)))
}

// HandPayload hands over nothing, as over a connection that carries no files.
func (*shelf) HandPayload(context.Context, bundle.BundleMgr_handPayload) error { return nil }

func (*shelf) Watch(context.Context, bundle.BundleMgr_watch) error {
	return errors.New("watch is not expected")
}

// A blob holds the bytes of one file.
type blob []byte

func (b blob) Read(_ context.Context, call bundle.Blob_read) error {
	offset, count := call.Args().Offset(), call.Args().Count()
	if count > bundle.MaxReadBytes {
		return errors.New("more bytes requested than one read may return")
	}
	res, err := call.AllocResults()
	if err != nil || offset > uint64(len(b)) {
		return err
	}
	return res.SetBytes(b[offset:min(offset+uint64(count), uint64(len(b)))])
}

func (b blob) Size(context.Context, bundle.Blob_size) error { return nil }

// A names is a Registrar that passes on what is registered, and closes dropped when the registration ends.
type names struct {
	registered chan capnp.Client
	dropped    chan struct{} // closed
}

func (n *names) Register(_ context.Context, call registry.Registrar_register) error {
	service := call.Args().Service().AddRef()
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	n.registered <- service
	return res.SetRegistration(registry.Registration_ServerToClient(registration{n.dropped}))
}

type registration struct{ dropped chan struct{} }

func (r registration) Shutdown() { close(r.dropped) }

// An entry is packagefs.FileInfo as a value.
type entry struct {
	name string
	kind packagefs.FileType
	size uint64
}

func entryOf(t *testing.T, m packagefs.FileInfo) entry {
	t.Helper()
	name, err := m.Name()
	if err != nil {
		t.Fatal(err)
	}
	return entry{name, m.Type(), m.SizeBytes()}
}

func stat(t *testing.T, fs packagefs.PackageFs, path string) (entry, error) {
	t.Helper()
	answer, release := fs.Stat(t.Context(), func(p packagefs.PackageFs_stat_Params) error { return p.SetPath(path) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return entry{}, err
	}
	info, err := res.Info()
	if err != nil {
		t.Fatal(err)
	}
	return entryOf(t, info), nil
}

func list(t *testing.T, fs packagefs.PackageFs, path string) ([]entry, error) {
	t.Helper()
	answer, release := fs.List(t.Context(), func(p packagefs.PackageFs_list_Params) error { return p.SetPath(path) })
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	infos, err := res.Entries()
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for i := range infos.Len() {
		entries = append(entries, entryOf(t, infos.At(i)))
	}
	return entries, nil
}

func read(t *testing.T, fs packagefs.PackageFs, path string, offset uint64, count uint32) ([]byte, error) {
	t.Helper()
	answer, release := fs.Read(t.Context(), func(p packagefs.PackageFs_read_Params) error {
		p.SetOffset(offset)
		p.SetCount(count)
		return p.SetPath(path)
	})
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	bytes, err := res.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(bytes), nil
}
