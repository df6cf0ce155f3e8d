package qemu

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// TestReceived counts the content of a packet from a port, and neither one from another port nor half a record.
func TestReceived(t *testing.T) {
	packet := func(from uint16, content int) []byte {
		p := make([]byte, ethernetHead+ipv4Head+20)
		binary.BigEndian.PutUint16(p[12:], 0x0800)
		p[ethernetHead], p[ethernetHead+9] = 0x45, 6
		binary.BigEndian.PutUint16(p[ethernetHead+2:], uint16(40+content))
		binary.BigEndian.PutUint16(p[ethernetHead+ipv4Head:], from)
		p[ethernetHead+ipv4Head+12] = 5 << 4
		record := make([]byte, pcapRecord)
		binary.LittleEndian.PutUint32(record[8:], uint32(len(p)))
		return append(record, p...)
	}
	raw := make([]byte, pcapHead)
	for _, p := range [][]byte{packet(80, 1000), packet(81, 1), packet(80, 0), packet(80, 7)[:20]} {
		raw = append(raw, p...)
	}
	file := filepath.Join(t.TempDir(), "capture")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Received(file, 80); got != 1000 || err != nil {
		t.Errorf("got %d, %v, want 1000", got, err)
	}
}
