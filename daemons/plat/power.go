package plat

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// PowerOff ends the machine. What is not on a disk by then is lost. It returns only with an error, when the machine
// cannot be ended.
func PowerOff() error { return end(unix.LINUX_REBOOT_CMD_POWER_OFF) }

// Restart ends the machine and begins it anew, in the same terms.
func Restart() error { return end(unix.LINUX_REBOOT_CMD_RESTART) }

func end(command int) error {
	unix.Sync()
	if err := unix.Reboot(command); err != nil {
		return fmt.Errorf("cannot end the machine: %w", err)
	}
	return nil
}

// TakeCtrlAltDel has the keys send SIGINT to the first process instead of restarting the machine at once.
func TakeCtrlAltDel() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }
