package qemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Sizes in a file of the format pcap, and of the headers in its packets.
const (
	pcapHead     = 24
	pcapRecord   = 16
	ethernetHead = 14
	ipv4Head     = 20
)

// Received returns how many bytes came into a machine from a TCP port, by its Capture. Repeated segments count again.
func Received(capture string, from uint16) (total int64, err error) {
	raw, err := os.ReadFile(capture)
	if err != nil {
		return 0, err
	}
	if len(raw) < pcapHead {
		return 0, fmt.Errorf("cannot read %s: %w", capture, io.ErrUnexpectedEOF)
	}
	for raw = raw[pcapHead:]; len(raw) >= pcapRecord; {
		kept := int(binary.LittleEndian.Uint32(raw[8:]))
		if raw = raw[pcapRecord:]; kept > len(raw) {
			return total, nil // the machine ended in the middle of it
		}
		n, err := tcpFrom(raw[:kept], from)
		if err != nil {
			return 0, fmt.Errorf("cannot read %s: %w", capture, err)
		}
		total += n
		raw = raw[kept:]
	}
	return total, nil
}

// tcpFrom returns how many bytes of content a packet has, if it is of TCP over IPv4 and from that port.
func tcpFrom(packet []byte, port uint16) (int64, error) {
	const typeAt, ipv4, protocolAt, tcp = 12, 0x0800, 9, 6
	if len(packet) < ethernetHead+ipv4Head || binary.BigEndian.Uint16(packet[typeAt:]) != ipv4 {
		return 0, nil
	}
	packet = packet[ethernetHead:]
	head, size := int(packet[0]&0x0f)*4, int64(binary.BigEndian.Uint16(packet[2:]))
	if packet[protocolAt] != tcp {
		return 0, nil
	}
	if len(packet) < head+13 {
		return 0, errors.New("a packet is too short")
	}
	if segment := packet[head:]; binary.BigEndian.Uint16(segment) == port {
		return size - int64(head) - int64(segment[12]>>4)*4, nil
	}
	return 0, nil
}
