package nxb_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"nexus/libupdates/nxb"
	"nexus/libupdates/refusal"
)

// program returns the header of a 64-bit little-endian ELF file.
func program(kind elf.Type, machine elf.Machine) []byte {
	h := make([]byte, 64)
	copy(h, elf.ELFMAG)
	h[elf.EI_CLASS], h[elf.EI_DATA], h[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB),
		byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(h[16:], uint16(kind))
	binary.LittleEndian.PutUint16(h[18:], uint16(machine))
	return h
}

func changed(at int, to byte) []byte {
	h := program(elf.ET_EXEC, elf.EM_RISCV)
	h[at] = to
	return h
}

func TestCheckELF(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload []byte
		want    refusal.Reason
	}{
		{"program", program(elf.ET_EXEC, elf.EM_RISCV), ""},
		{"position-independent program", program(elf.ET_DYN, elf.EM_RISCV), ""},
		{"with more after the header", append(program(elf.ET_EXEC, elf.EM_RISCV), "more"...), ""},
		{"other machine", program(elf.ET_EXEC, elf.EM_X86_64), refusal.WrongArchitecture},
		{"object file", program(elf.ET_REL, elf.EM_RISCV), refusal.WrongArchitecture},
		{"core dump", program(elf.ET_CORE, elf.EM_RISCV), refusal.WrongArchitecture},
		{"32 bits", changed(elf.EI_CLASS, byte(elf.ELFCLASS32)), refusal.WrongArchitecture},
		{"big endian", changed(elf.EI_DATA, byte(elf.ELFDATA2MSB)), refusal.WrongArchitecture},
		{"other magic", changed(0, 'x'), refusal.WrongArchitecture},
		{"nothing", nil, refusal.WrongArchitecture},
		{"half a header", program(elf.ET_EXEC, elf.EM_RISCV)[:63], refusal.WrongArchitecture},
		{"script", append([]byte("#!/bin/sh\n"), make([]byte, 100)...), refusal.WrongArchitecture},
	} {
		err := nxb.CheckELF(bytes.NewReader(c.payload), int64(len(c.payload)), elf.EM_RISCV)
		if got := refusal.Of(err); got != c.want {
			t.Errorf("%s: got %q (%v), want %q", c.name, got, err, c.want)
		}
	}
}

func TestCheckELFOfARealProgram(t *testing.T) {
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64,
		"riscv64": elf.EM_RISCV}[runtime.GOARCH]
	if machine == elf.EM_NONE || runtime.GOOS != "linux" {
		t.Skip("this machine's own programs are of no supported kind")
	}
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := nxb.CheckELF(f, 64, machine); err != nil {
		t.Fatal(err)
	}
}

// eofReader returns io.EOF together with the last bytes, as io.ReaderAt allows, and fails beyond n bytes.
type eofReader struct {
	b []byte
	n int
}

func (r eofReader) ReadAt(b []byte, _ int64) (int, error) {
	return copy(b, r.b[:r.n]), io.EOF
}

func TestCheckELFReadErrors(t *testing.T) {
	h := program(elf.ET_EXEC, elf.EM_RISCV)
	if err := nxb.CheckELF(eofReader{h, 64}, 64, elf.EM_RISCV); err != nil {
		t.Errorf("EOF with the last byte: %v", err)
	}
	if err := nxb.CheckELF(eofReader{h, 10}, 64, elf.EM_RISCV); refusal.Of(err) != refusal.IO ||
		!errors.Is(err, io.EOF) {
		t.Errorf("a payload shorter than announced: %v", err)
	}
}

// dynamic returns a program that names a loader.
func dynamic(loader string) []byte {
	h := program(elf.ET_DYN, elf.EM_RISCV)
	binary.LittleEndian.PutUint32(h[20:], uint32(elf.EV_CURRENT))
	binary.LittleEndian.PutUint64(h[32:], 64) // where the segments are listed
	binary.LittleEndian.PutUint16(h[52:], 64)
	binary.LittleEndian.PutUint16(h[54:], 56)
	binary.LittleEndian.PutUint16(h[56:], 1)
	segment := make([]byte, 56)
	binary.LittleEndian.PutUint32(segment, uint32(elf.PT_INTERP))
	binary.LittleEndian.PutUint64(segment[8:], 64+56)
	binary.LittleEndian.PutUint64(segment[32:], uint64(len(loader)+1))
	return append(append(h, segment...), loader+"\x00"...)
}

func TestProgramNeeds(t *testing.T) {
	if got := nxb.ProgramNeeds(bytes.NewReader(dynamic("/lib/ld.so.1"))); got.Loader != "/lib/ld.so.1" ||
		len(got.Libraries) != 0 {
		t.Errorf("got %+v", got)
	}
	for name, payload := range map[string][]byte{
		"static": program(elf.ET_EXEC, elf.EM_RISCV), "nothing": nil, "script": []byte("#!/bin/sh\n"),
		"cut off": dynamic("/lib/ld.so.1")[:125],
	} {
		if got := nxb.ProgramNeeds(bytes.NewReader(payload)); got.Loader != "" || got.Libraries != nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	sh, err := os.Open("/bin/sh")
	if err != nil {
		t.Skip("there is no /bin/sh to look at: ", err)
	}
	defer sh.Close()
	if got := nxb.ProgramNeeds(sh); got.Loader != "" && len(got.Libraries) == 0 {
		t.Errorf("/bin/sh needs %s and no library", got.Loader)
	}
}
