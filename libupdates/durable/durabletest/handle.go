package durabletest

import (
	"bytes"
	"io"
	"slices"
	"syscall"
)

// readHandle is a file open for reading. It has the bytes of the time of opening.
type readHandle struct {
	disk   *files
	name   string
	node   *node
	reader *bytes.Reader
}

func (h *readHandle) Read(p []byte) (int, error) {
	at := h.reader.Size() - int64(h.reader.Len())
	n, err := h.ReadAt(p, at)
	if n > 0 {
		err = nil
	}
	h.reader.Seek(at+int64(n), io.SeekStart)
	return n, err
}

func (h *readHandle) ReadAt(p []byte, off int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.disk.count("read", h.name); err != nil {
		return 0, err
	}
	if !h.node.intact(off, int64(len(p))) {
		return 0, failed("read", h.name, syscall.EIO)
	}
	return h.reader.ReadAt(p, off)
}

func (h *readHandle) Size() int64 { return h.reader.Size() }

func (h *readHandle) Close() error { return nil }

// writeHandle is a file open for writing.
type writeHandle struct {
	disk *files
	name string
	node *node
	at   int
	open int // 1 until it is closed
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

func (h *writeHandle) Reserve(int64) error { return h.disk.step("reserve", h.name) }

func (h *writeHandle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.disk.count("sync", h.name); err != nil {
		return err
	}
	h.node.synced = h.node.data // never changed in place
	return nil
}

func (h *writeHandle) Close() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.node.writers -= h.open
	h.open = 0
	return h.disk.count("close", h.name)
}

func tail(data []byte, from int) []byte {
	if from >= len(data) {
		return nil
	}
	return data[from:]
}
