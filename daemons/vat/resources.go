package vat

import (
	"context"
	"os"
	"sync"

	"nexus/capnpgen/endowment"
)

// resources are the directories, files and settings of a daemon.
type resources struct {
	done <-chan struct{} // nothing arrives any more

	mu    sync.Mutex
	slots map[resource]*slot
}

// A resource identifies a granted directory, file or setting.
type resource struct {
	kind endowment.Endowment_Kind
	name string
}

// A slot holds a resource once it has arrived. It is filled only once.
type slot struct {
	here  chan struct{}
	once  sync.Once
	file  *os.File
	value []string
}

// Dir waits for a granted directory and opens it as a root, so that nothing outside it can be reached.
func (r *resources) Dir(ctx context.Context, name string) (*os.Root, error) {
	got, err := r.await(ctx, resource{endowment.Endowment_Kind_dir, name})
	if err != nil {
		return nil, err
	}
	return rootOf(got.file)
}

// File waits for a granted open file.
func (r *resources) File(ctx context.Context, name string) (*os.File, error) {
	got, err := r.await(ctx, resource{endowment.Endowment_Kind_file, name})
	if err != nil {
		return nil, err
	}
	return got.file, nil
}

// Given returns a file that may or may not have been granted. It does not wait: initd grants files before directories,
// so once a directory has arrived, so have all files.
func (r *resources) Given(name string) (*os.File, bool) {
	s := r.slot(resource{endowment.Endowment_Kind_file, name})
	select {
	case <-s.here:
		return s.file, true
	default:
		return nil, false
	}
}

// Setting waits for the values of a policy setting.
func (r *resources) Setting(ctx context.Context, name string) ([]string, error) {
	got, err := r.await(ctx, resource{endowment.Endowment_Kind_setting, name})
	if err != nil {
		return nil, err
	}
	return got.value, nil
}

func (r *resources) await(ctx context.Context, key resource) (*slot, error) {
	s := r.slot(key)
	select {
	case <-s.here:
		return s, nil
	case <-r.done:
		return nil, context.Canceled
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *resources) slot(key resource) *slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.slots[key]
	if s == nil {
		s = &slot{here: make(chan struct{})}
		r.slots[key] = s
	}
	return s
}

// put fills a slot, unless it is full.
func (r *resources) put(key resource, file *os.File, value []string) {
	s := r.slot(key)
	s.once.Do(func() {
		s.file, s.value = file, value
		close(s.here)
	})
}
