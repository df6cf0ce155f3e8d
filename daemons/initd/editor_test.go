package initd

import (
	"context"
	"slices"
	"sync"
	"testing"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/keystore"
	"nexus/daemons/vat/vattest"
	"nexus/libupdates/trust"
	"nexus/libupdates/updatestest"
)

// A reader of keys reads the folder whenever it is told to. Its second answer is lost, because whoever asked goes away.
type reader struct {
	folder *folder
	leave  context.CancelFunc

	mu   sync.Mutex
	told int
	keys []string // as it read them last
}

func (r *reader) Reload(ctx context.Context, _ keystore.TrustReload_reload) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told++
	if r.keys, err = r.folder.keyFiles(trust.RoleSystem); r.told == 2 {
		r.leave()
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (*reader) Update(context.Context, keystore.TrustReload_update) error { return nil }

// A change of the keys whose outcome is not known is undone, in the folder and in what keystored has read.
func TestAChangeOfKeysThatFailsIsUndone(t *testing.T) {
	one, two := key(), updatestest.Key(2).Public()
	for name, change := range map[string]func(*keyring, context.Context) error{
		"add":    func(k *keyring, ctx context.Context) error { return k.add(ctx, trust.RoleSystem, two) },
		"remove": func(k *keyring, ctx context.Context) error { return k.remove(ctx, trust.RoleSystem, one) },
	} {
		t.Run(name, func(t *testing.T) {
			f := mustOpen(t, made(t), true)
			defer f.clear()
			if name == "remove" {
				must(t, f.keepKey(trust.RoleSystem, two))
			}
			dir, err := f.below(trustDir)
			must(t, err)
			defer dir.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := &reader{folder: f, leave: cancel}
			reload, _ := vattest.Provide(t, capnp.Client(keystore.TrustReload_ServerToClient(r)))
			before, err := f.keyFiles(trust.RoleSystem)
			must(t, err)
			if err := change(&keyring{folder: f, dir: dir, reload: reload}, ctx); err == nil {
				t.Fatal("the change is said to have succeeded")
			}
			after, err := f.keyFiles(trust.RoleSystem)
			must(t, err)
			r.mu.Lock()
			defer r.mu.Unlock()
			if !slices.Equal(after, before) || !slices.Equal(r.keys, before) || r.told != 3 {
				t.Errorf("the folder has %q, and keystored %q after being told %d times; want %q", after, r.keys, r.told,
					before)
			}
		})
	}
}
