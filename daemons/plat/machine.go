package plat

import (
	"debug/elf"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Machine is the kind of machine this process runs on, as ELF programs name it; EM_NONE for one that Nexus does not
// know.
func Machine() elf.Machine {
	switch runtime.GOARCH {
	case "amd64":
		return elf.EM_X86_64
	case "arm64":
		return elf.EM_AARCH64
	case "riscv64":
		return elf.EM_RISCV
	default:
		return elf.EM_NONE
	}
}

// LoadModule loads a kernel module from its uncompressed file. It is not an error if the module is loaded already.
func LoadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot load module: %w", err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && err != unix.EEXIST {
		return fmt.Errorf("cannot load module %s: %w", path, err)
	}
	return nil
}

// PowerOff syncs and powers the machine off. It returns only on error.
func PowerOff() error { return end(unix.LINUX_REBOOT_CMD_POWER_OFF) }

// Restart syncs and restarts the machine. It returns only on error.
func Restart() error { return end(unix.LINUX_REBOOT_CMD_RESTART) }

func end(command int) error {
	unix.Sync()
	if err := unix.Reboot(command); err != nil {
		return fmt.Errorf("cannot end the machine: %w", err)
	}
	return nil
}

// TakeCtrlAltDel makes Ctrl-Alt-Del send SIGINT to the first process, instead of restarting the machine at once.
func TakeCtrlAltDel() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }
