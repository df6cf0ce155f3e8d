// Command patch makes and applies patches as nxs-pack and updated do, for benchmarks beside other tools: `patch make
// OLD NEW PATCH`, `patch apply OLD PATCH NEW`. Without arguments it does nothing, which shows what a process takes
// anyway. `patch measure SCRIPT` prints the CPU seconds and the peak memory in bytes of a script: a process counts at
// least the memory of the one that started it, so that one has to be small.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"syscall"

	"nexus/libupdates/delta"
)

func main() {
	args := append(os.Args[1:], make([]string, 4)...)
	var err error
	switch args[0] {
	case "make":
		err = makePatch(args[1], args[2], args[3])
	case "apply":
		err = applyPatch(args[1], args[2], args[3])
	case "measure":
		err = measure(args[1])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "patch: %v\n", err)
		os.Exit(1)
	}
}

func measure(script string) error {
	cmd := exec.Command("sh", "-euc", script)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	_, err := fmt.Println(took.Seconds(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	return err
}

// makePatch precedes the patch with what a set's signed index says of it.
func makePatch(oldName, newName, name string) error {
	debug.SetGCPercent(10) // as nxs-pack does
	old, oldSize, err := open(oldName)
	if err != nil {
		return err
	}
	defer old.Close()
	fresh, newSize, err := open(newName)
	if err != nil {
		return err
	}
	defer fresh.Close()
	var patch, out bytes.Buffer
	p, err := delta.Make(&patch, old, oldSize, fresh, newSize)
	if err != nil {
		return err
	}
	if err := binary.Write(&out, binary.LittleEndian, p); err != nil {
		return err
	}
	patch.WriteTo(&out)
	return os.WriteFile(name, out.Bytes(), 0o644)
}

func applyPatch(oldName, name, newName string) error {
	old, _, err := open(oldName)
	if err != nil {
		return err
	}
	defer old.Close()
	patch, _, err := open(name)
	if err != nil {
		return err
	}
	defer patch.Close()
	in := bufio.NewReader(patch)
	var p delta.Patch
	if err := binary.Read(in, binary.LittleEndian, &p); err != nil {
		return err
	}
	out, err := os.Create(newName)
	if err != nil {
		return err
	}
	return errors.Join(p.Apply(out, old, in, 0), out.Close())
}

func open(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
