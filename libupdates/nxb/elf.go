package nxb

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"nexus/libupdates/refusal"
)

// elfHeader is the size of a 64-bit ELF header in bytes (System V ABI, chapter 4).
const elfHeader = 64

// CheckELF refuses, as WrongArchitecture, a payload that is not a 64-bit little-endian ELF program for the machine. It
// checks the header only; the rest is left to the kernel.
func CheckELF(r io.ReaderAt, size int64, machine elf.Machine) error {
	var header [elfHeader]byte
	if size < elfHeader {
		return refusal.New(refusal.WrongArchitecture, "not an ELF program")
	}
	if n, err := r.ReadAt(header[:], 0); n < elfHeader {
		return fmt.Errorf("cannot read ELF header: %w", err)
	}
	if string(header[:4]) != elf.ELFMAG || elf.Class(header[elf.EI_CLASS]) != elf.ELFCLASS64 ||
		elf.Data(header[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return refusal.New(refusal.WrongArchitecture, "not a 64-bit little-endian ELF program")
	}
	if kind := elf.Type(binary.LittleEndian.Uint16(header[16:])); kind != elf.ET_EXEC && kind != elf.ET_DYN {
		return refusal.New(refusal.WrongArchitecture, "ELF file has type %s, which is not a program", kind)
	}
	if got := elf.Machine(binary.LittleEndian.Uint16(header[18:])); got != machine {
		return refusal.New(refusal.WrongArchitecture, "ELF program is for %s, want %s", got, machine)
	}
	return nil
}
