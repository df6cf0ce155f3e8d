package statefs

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// A Prefix holds the keys of one prefix. Its methods may be called concurrently.
type Prefix struct {
	store *Store
	name  string
	quota Quota

	mu    sync.Mutex
	sizes map[string]int64 // of the values, by key, in bytes
	used  int64            // of all keys and values, in bytes
}

// An Entry is one key in a list.
type Entry struct {
	Key  string
	Size int64 // of the value in bytes, as far as known without reading it
}

// Get returns the value under the key after checking it. Refused as BadStateKey, NoSuchKey or StateDamaged.
func (p *Prefix) Get(key string) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.has(key); err != nil {
		return nil, err
	}
	name := path.Join(p.name, key)
	if !p.inPlace() {
		return nil, damaged(name, "its folder is lost")
	}
	return readValue(p.store.fs, p.file(key), name)
}

// Put sets the value under the key in one step; Sync makes that durable. Refused as BadStateKey, ValueTooLarge,
// QuotaExceeded or NoSpace. After an error the key has its old value. In a reserved prefix on a full disk, a value that
// is not shorter than the old one is written over it: a cut, or an error of the disk, then leaves a damaged value.
func (p *Prefix) Put(key string, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValue {
		return refusal.New(refusal.ValueTooLarge, "the value has %d bytes, over the limit of %d", len(value), MaxValue)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.admit(key, int64(len(value))); err != nil {
		return err
	}
	raw := encodeValue(path.Join(p.name, key), value)
	err := p.replace(key, raw, p.room())
	if refusal.Of(err) == refusal.NoSpace && p.quota.Reserved {
		err = p.putOnFull(key, raw)
	}
	if err != nil {
		return err
	}
	p.remove(key)
	p.add(key, int64(len(value)))
	return nil
}

// replace writes the file of a key, with room to grow to that size. If something else has its name or the prefix's, or
// the prefix is gone, that is repaired first.
func (p *Prefix) replace(key string, raw []byte, room int64) error {
	if !p.inPlace() {
		if _, err := p.store.seat(p.name); err != nil {
			return err
		}
		if err := p.store.fs.SyncDir(root); err != nil {
			return err
		}
	}
	if err := p.store.makeWay(p.file(key)); err != nil {
		return err
	}
	err := durable.ReplaceWithRoom(p.store.fs, p.file(key), raw, room)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// The folder belongs to another user. Its values may be readable, but the system must not wait until somebody
	// repairs that.
	if err := p.store.setAside(p.name, "a folder that this system may not write to"); err != nil {
		return err
	}
	if err := p.store.fs.Mkdir(p.name); err != nil {
		return err
	}
	p.sizes, p.used = map[string]int64{}, 0
	return errors.Join(p.store.fs.SyncDir(root), durable.ReplaceWithRoom(p.store.fs, p.file(key), raw, room))
}

// inPlace reports whether the prefix is still a folder. If a link has replaced it, nothing is read or written through
// that.
func (p *Prefix) inPlace() bool {
	kind, err := p.store.fs.Kind(p.name)
	return err == nil && kind == fs.ModeDir
}

// Delete removes the key and its value, even a damaged one; Sync makes that durable. Refused as BadStateKey or
// NoSuchKey.
func (p *Prefix) Delete(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.has(key); err != nil {
		return err
	}
	if err := p.store.fs.RemoveAll(p.file(key)); err != nil {
		return err
	}
	p.remove(key)
	return nil
}

// List returns the keys that begin with start and come after the key after, in byte order. It returns at most limit and
// at most MaxPage keys; a limit of 0 means MaxPage. more reports whether there are further keys. Refused as BadStateKey
// if no key can match.
func (p *Prefix) List(start, after string, limit int) (entries []Entry, more bool, err error) {
	for _, text := range []string{start, after} {
		if err := checkStart(text); err != nil {
			return nil, false, err
		}
	}
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, size := range p.sizes {
		if strings.HasPrefix(key, start) && key > after {
			entries = append(entries, Entry{key, size})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	if len(entries) > limit {
		return entries[:limit], true, nil
	}
	return entries, false, nil
}

// Sync makes all earlier calls of Put and Delete durable.
func (p *Prefix) Sync() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.store.fs.SyncDir(p.name)
}

func (p *Prefix) file(key string) string { return path.Join(p.name, fileOf(key)) }

func (p *Prefix) has(key string) error {
	if _, ok := p.sizes[key]; !ok {
		return refusal.New(refusal.NoSuchKey, "nothing is stored under %s", path.Join(p.name, key))
	}
	return nil
}

// admit refuses a value that exceeds the quota. A value that is no larger than its predecessor always fits, so a prefix
// that is over its quota, because that was lowered, can still be changed.
func (p *Prefix) admit(key string, size int64) error {
	old, replaces := p.sizes[key]
	switch {
	case replaces && size <= old:
		return nil
	case !replaces && len(p.sizes) >= p.quota.Keys:
		return refusal.New(refusal.QuotaExceeded, "%s already has %d keys, the maximum", p.name, len(p.sizes))
	case !replaces:
		size += int64(len(key))
	}
	if after := p.used - old + size; after > p.quota.Bytes {
		return refusal.New(refusal.QuotaExceeded, "%s would hold %d bytes, over its quota of %d", p.name, after,
			p.quota.Bytes)
	}
	return nil
}

func (p *Prefix) add(key string, size int64) {
	p.sizes[key] = size
	p.used += size + int64(len(key))
}

func (p *Prefix) remove(key string) {
	if size, ok := p.sizes[key]; ok {
		p.used -= size + int64(len(key))
		delete(p.sizes, key)
	}
}
