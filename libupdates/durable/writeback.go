package durable

// A Writeback is a File that can be told to begin writing bytes to the disk ahead of Sync, which then has less to wait for. The real
// file system's files are, on Linux.
type Writeback interface {
	// StartWriteback begins to write n bytes from offset to the disk. It promises nothing and makes nothing durable: see Sync.
	StartWriteback(offset, n int64)
}

// StartWriteback begins to write a piece of a file to the disk, where the file can do that.
func StartWriteback(f File, offset, n int64) {
	if w, ok := f.(Writeback); ok && n > 0 {
		w.StartWriteback(offset, n)
	}
}
