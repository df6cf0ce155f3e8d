package plat

import (
	"fmt"

	"golang.org/x/sys/unix"
)

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
