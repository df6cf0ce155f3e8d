// Command office is the first process of a guest in which an operator works, and a registry runs: it runs the commands
// that it is told through a port of the machine, several at once, and shows on the console what they print and how
// they end. No part of it is in the image of a system.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
)

// port is the virtio-serial port by which it is told what to do: a line for each command, its words separated by
// spaces.
const port = "org.nexus.office"

func main() { os.Exit(machine.Main(false, os.Stdout, work)) }

// environment is what the commands get.
func environment() map[string]string {
	return map[string]string{"PATH": machine.GuestBin, "HOME": machine.GuestDir, "TMPDIR": machine.GuestDir,
		"OTEL_TRACES_EXPORTER": "none"}
}

// work prepares the machine and runs commands.
func work() (again bool, err error) {
	for name, value := range environment() {
		if err := os.Setenv(name, value); err != nil {
			return false, err
		}
	}
	if err := machine.PrepareMachine(); err != nil {
		return false, err
	}
	machine.PrepareNetwork(os.Stdout)
	if err := machine.GuestMemory().Mount(); err != nil {
		return false, err
	}
	in, err := plat.OpenPort(port)
	if err != nil {
		return false, err
	}
	defer in.Close()
	orders := bufio.NewScanner(patient{in})
	for n := 1; orders.Scan(); n++ {
		go run(fmt.Sprintf("office: %d", n), strings.Fields(orders.Text()))
	}
	return false, orders.Err()
}

// run runs a command and shows its lines, and how it ends.
func run(name string, words []string) {
	r, w := io.Pipe()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = w, w
	go func() { w.CloseWithError(cmd.Run()) }()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fmt.Printf("%s: %s\n", name, lines.Text())
	}
	end := "exit status 0"
	if err := lines.Err(); err != nil {
		end = err.Error()
	}
	fmt.Printf("%s ended: %s\n", name, end)
}

// lookEvery is the pause before the port is read again, as long as nobody is at its other end.
const lookEvery = 50 * time.Millisecond

// A patient reader reads on after the end: to a port it means that nobody is at its other end.
type patient struct{ from io.Reader }

// Read implements io.Reader.
func (p patient) Read(b []byte) (n int, err error) {
	for {
		if n, err = p.from.Read(b); err != io.EOF {
			return n, err
		}
		time.Sleep(lookEvery)
	}
}
