package durable

import "syscall"

// syncFileRangeWrite is SYNC_FILE_RANGE_WRITE of sync_file_range(2): begin, and wait for nothing.
const syncFileRangeWrite = 2

// StartWriteback implements Writeback. A file system that cannot, or a disk that fails, is Sync's to report.
func (f osFile) StartWriteback(offset, n int64) {
	conn, err := f.f.SyscallConn()
	if err != nil {
		return
	}
	conn.Control(func(fd uintptr) { syscall.SyncFileRange(int(fd), offset, n, syncFileRangeWrite) })
}
