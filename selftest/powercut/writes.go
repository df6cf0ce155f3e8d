package powercut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// A write is one request that reached the disk, as logged by QEMU's driver blklogwrites (the format is that of the
// kernel's dm-log-writes).
type write struct {
	offset int64
	data   []byte // nil for a barrier without data
	flush  bool   // everything acknowledged before is durable once this is done
}

// Layout of a log: a superblock in its first sector, then for each request a sector that describes it and its data.
// Numbers are little-endian.
const (
	logSector  = 512
	logMagic   = 0x6a736677736872
	logVersion = 1

	flagFlush   = 1
	flagFUA     = 2
	flagDiscard = 4
	flagKnown   = flagFlush | flagFUA | flagDiscard

	maxRequest = 64 << 20 / logSector // in sectors
)

// logged returns the number of requests according to a log's superblock: at least those up to the last barrier. QEMU
// writes the superblock at the first barrier; a log without one has none.
func logged(file string) (uint64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, 28)
	if _, err := io.ReadFull(f, head); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, fmt.Errorf("cannot read log: %w", err)
	}
	if bytes.Count(head, []byte{0}) == len(head) {
		return 0, nil
	}
	if binary.LittleEndian.Uint64(head) != logMagic || binary.LittleEndian.Uint64(head[8:]) != logVersion ||
		binary.LittleEndian.Uint32(head[24:]) != logSector {
		return 0, errors.New("cannot read log: not a log of dm-log-writes")
	}
	return binary.LittleEndian.Uint64(head[16:]), nil
}

// readLog reads all requests of a log, including those after the last barrier, which its superblock does not count yet.
func readLog(file string) ([]write, error) {
	counted, err := logged(file)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(logSector, io.SeekStart); err != nil {
		return nil, err
	}
	var writes []write
	for {
		w, err := readRequest(f)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read request %d of the log: %w", len(writes), err)
		}
		writes = append(writes, w)
	}
	if uint64(len(writes)) < counted {
		return nil, fmt.Errorf("cannot read log: %d requests found, %d in its superblock", len(writes), counted)
	}
	return writes, nil
}

// readRequest reads one request. It returns io.EOF if there is none, or only part of one.
func readRequest(r io.Reader) (write, error) {
	head := make([]byte, logSector)
	if _, err := io.ReadFull(r, head); err != nil {
		return write{}, io.EOF
	}
	sector, count, flags := binary.LittleEndian.Uint64(head), binary.LittleEndian.Uint64(head[8:]),
		binary.LittleEndian.Uint64(head[16:])
	switch {
	case sector == 0 && count == 0 && flags == 0:
		return write{}, io.EOF
	case flags&^flagKnown != 0 || count > maxRequest || sector > 1<<40:
		return write{}, errors.New("invalid request")
	case flags&flagDiscard != 0:
		return write{}, errors.New("unexpected discard")
	}
	w := write{offset: int64(sector) * logSector, flush: flags&(flagFlush|flagFUA) != 0}
	if count > 0 {
		w.data = make([]byte, count*logSector)
		if _, err := io.ReadFull(r, w.data); err != nil {
			return write{}, io.EOF
		}
	}
	return w, nil
}
