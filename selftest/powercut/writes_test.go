package powercut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nexus/libupdates/statedisk"
	"nexus/selftest/kit"
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

// A testLog is a log as QEMU writes it.
type testLog struct{ raw []byte }

func newTestLog(counted uint64) *testLog {
	head := make([]byte, logSector)
	binary.LittleEndian.PutUint64(head, logMagic)
	binary.LittleEndian.PutUint64(head[8:], logVersion)
	binary.LittleEndian.PutUint64(head[16:], counted)
	binary.LittleEndian.PutUint32(head[24:], logSector)
	return &testLog{head}
}

func (l *testLog) add(sector, count, flags uint64, data string) *testLog {
	head := make([]byte, logSector)
	binary.LittleEndian.PutUint64(head, sector)
	binary.LittleEndian.PutUint64(head[8:], count)
	binary.LittleEndian.PutUint64(head[16:], flags)
	l.raw = append(append(l.raw, head...), bytes.Repeat([]byte(data), int(count)*logSector)...)
	return l
}

func (l *testLog) file(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	kit.Must(t, os.WriteFile(file, l.raw, 0o600))
	return file
}

func TestReadLog(t *testing.T) {
	writes, err := readLog(newTestLog(2).add(3, 1, 0, "a").add(0, 0, flagFlush, "").add(4, 2, 0, "b").file(t))
	if err != nil || len(writes) != 3 || writes[0].offset != 3*logSector || writes[0].flush || !writes[1].flush ||
		len(writes[2].data) != 2*logSector {
		t.Fatalf("got %+v, %v", writes, err)
	}
	if got := barriersOf(writes); !slices.Equal(got, []int{0, 2}) {
		t.Errorf("barriers %v", got)
	}
	half := newTestLog(1).add(3, 1, 0, "a").add(4, 2, 0, "b")
	half.raw = half.raw[:len(half.raw)-1]
	if writes, err := readLog(half.file(t)); err != nil || len(writes) != 1 {
		t.Errorf("with half a request: %d, %v", len(writes), err)
	}
}

// TestReadLogBeforeTheFirstBarrier reads the log of a machine that was killed before its first barrier, which has
// requests but no superblock.
func TestReadLogBeforeTheFirstBarrier(t *testing.T) {
	early := newTestLog(0).add(3, 1, 0, "a")
	clear(early.raw[:logSector])
	if writes, err := readLog(early.file(t)); err != nil || len(writes) != 1 || writes[0].flush {
		t.Errorf("got %+v, %v", writes, err)
	}
	if writes, err := readLog((&testLog{}).file(t)); err != nil || len(writes) != 0 {
		t.Errorf("nothing written: got %+v, %v", writes, err)
	}
}

func TestReadLogRefuses(t *testing.T) {
	for want, l := range map[string]*testLog{
		"not a log of dm-log-writes":       {bytes.Repeat([]byte{1}, logSector)},
		"1 requests found, 2 in its super": newTestLog(2).add(3, 1, 0, "a"),
		"invalid request":                  newTestLog(0).add(3, 1, 128, "a"),
		"unexpected discard":               newTestLog(0).add(3, 1, flagDiscard, ""),
	} {
		if _, err := readLog(l.file(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestSurvivors checks that the survivors are some of the writes, in order, and the same for the same seed.
func TestSurvivors(t *testing.T) {
	var all []write
	for i := range 20 {
		all = append(all, write{offset: int64(i), data: bytes.Repeat([]byte{byte(i)}, 4*statedisk.BlockSize)})
	}
	sizes, torn := map[int]bool{}, false
	for seed := range uint64(50) {
		kept := survivors(rand.New(rand.NewPCG(seed, 0)), all)
		again := survivors(rand.New(rand.NewPCG(seed, 0)), all)
		if len(kept) != len(again) {
			t.Fatalf("seed %d keeps %d and %d", seed, len(kept), len(again))
		}
		last := int64(-1)
		for _, w := range kept {
			if w.offset <= last || len(w.data)%statedisk.BlockSize != 0 {
				t.Fatalf("seed %d: %d after %d", seed, w.offset, last)
			}
			last, torn = w.offset, torn || len(w.data) < 4*statedisk.BlockSize
		}
		sizes[len(kept)] = true
	}
	if len(sizes) < 10 || !torn {
		t.Errorf("%d different numbers of writes survive, torn ones: %v", len(sizes), torn)
	}
}
