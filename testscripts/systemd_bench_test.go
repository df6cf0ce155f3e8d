package testscripts

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// systemdScript has systemd look after the program $1 as the manager of a user, in namespaces of its own, where nothing
// else of the machine is under it. The program serves on port $2, on a socket that systemd opens where $3 is `kept`. It
// does what the lines of its input say, and answers each with its status.
const systemdScript = `
mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system /run/u/units || exit 1
export XDG_RUNTIME_DIR=/run/u HOME=/run/u SYSTEMD_UNIT_PATH=/run/u/units
cd /run/u/units
printf '[Unit]\nDefaultDependencies=no\n' | tee default.target basic.target >web.socket
cp web.socket web.service
printf '[Service]\nExecStart=%s\n' "$1" >>web.service
if [ "$3" = kept ]; then printf '[Socket]\nListenStream=%s\n' "$2" >>web.socket
else printf 'Environment=LISTEN_ON=:%s\n' "$2" >>web.service; fi
/lib/systemd/systemd --user --unit=default.target >/dev/null 2>&1 &
until systemctl --user is-active default.target >/dev/null 2>&1; do :; done
if [ "$3" = kept ]; then systemctl --user start web.socket; fi
systemctl --user start web.service
echo $?
while read -r line; do $line; echo $?; done
`

// systemd starts the program under systemd, and returns how it is operated.
func (r webRig) systemd(b *testing.B, kept bool) func(line string) {
	if os.Getuid() != 0 {
		b.Skip("needs root, for namespaces of systemd's own")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		b.Skip("needs systemd: ", err)
	}
	how := "anew"
	if kept {
		how = "kept"
	}
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--cgroup", "bash", "-c",
		systemdScript, "bash", r.program, fmt.Sprint(r.port), how)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	orders, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewReader(answers)
	answer := func(to string) {
		if text, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(text) != "0" {
			b.Fatalf("systemd, %s: %q, %v", to, text, err)
		}
	}
	answer("start")
	served(b, r.port)
	return func(line string) {
		io.WriteString(orders, line+"\n")
		answer(line)
	}
}
