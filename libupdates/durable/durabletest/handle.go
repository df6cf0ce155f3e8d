package durabletest

import (
	"bytes"
	"slices"
)

// readHandle is a file open for reading. It has the bytes of the time of opening.
type readHandle struct {
	disk   *Disk
	name   string
	reader *bytes.Reader
}

func (h *readHandle) Read(p []byte) (int, error) {
	if err := h.disk.step("read", h.name); err != nil {
		return 0, err
	}
	return h.reader.Read(p)
}

func (h *readHandle) ReadAt(p []byte, off int64) (int, error) {
	if err := h.disk.step("read", h.name); err != nil {
		return 0, err
	}
	return h.reader.ReadAt(p, off)
}

func (h *readHandle) Size() int64 { return h.reader.Size() }

func (h *readHandle) Close() error { return nil }

// writeHandle is a file open for writing.
type writeHandle struct {
	disk *Disk
	name string
	node *node
	at   int
}

func (h *writeHandle) Write(p []byte) (int, error) {
	n, err := h.WriteAt(p, int64(h.at))
	h.at += n
	return n, err
}

func (h *writeHandle) WriteAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	err := h.disk.count("write", h.name)
	if err != nil {
		if h.disk.powerless() {
			return 0, err
		}
		p = p[:len(p)/2]
	}
	h.node.data = spliced(h.node.data, p, int(off))
	return len(p), err
}

func (h *writeHandle) Allocate(size int64) error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.disk.count("allocate", h.name); err != nil {
		return err
	}
	if grow := int(size) - len(h.node.data); grow > 0 {
		h.node.data = append(slices.Clone(h.node.data), make([]byte, grow)...)
	}
	return nil
}

func (h *writeHandle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.disk.count("sync", h.name); err != nil {
		return err
	}
	h.node.synced = h.node.data // never changed in place
	return nil
}

func (h *writeHandle) Close() error { return h.disk.step("close", h.name) }

func (d *Disk) powerless() bool { return d.cut && len(d.ops) >= d.cutAfter }

func tail(data []byte, from int) []byte {
	if from >= len(data) {
		return nil
	}
	return data[from:]
}
