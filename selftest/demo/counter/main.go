// Command counter keeps the version of each of its starts in the folder that it is given for its state, and says how
// often it was started. It knows nothing of this system but that folder.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// version and mode are set by the linker. Modes: exit (ends after it has counted), fill (writes until there is no space
// left, and removes that), litter (the same with empty files, which it leaves).
var version, mode string

func main() {
	count, err := next(os.Getenv("STATE_DIRECTORY"))
	if err != nil {
		fmt.Println("cannot count:", err)
		os.Exit(1)
	}
	fmt.Printf("start %d, version %s\n", count, version)
	switch mode {
	case "exit":
		os.Exit(1)
	case "fill":
		fill(os.Getenv("STATE_DIRECTORY"))
	case "litter":
		litter(os.Getenv("STATE_DIRECTORY"))
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
}

// next adds a line with this version to those of the starts before, durably and in one step: a cut leaves the old lines
// or the new ones. It returns their number.
func next(dir string) (int, error) {
	name := filepath.Join(dir, "starts")
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	text = fmt.Appendln(text, version)
	f, err := os.Create(name + ".new")
	if err != nil {
		return 0, err
	}
	if _, err := f.Write(text); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	err = errors.Join(f.Sync(), f.Close(), os.Rename(name+".new", name), syncFolder(dir))
	return bytes.Count(text, []byte("\n")), err
}

// syncFolder makes the names in a folder durable: without it a power cut may undo a rename.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func fill(dir string) {
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		fmt.Println("cannot fill:", err)
		return
	}
	size, block := 0, make([]byte, 64<<10)
	for err == nil {
		var n int
		n, err = f.Write(block)
		size += n
	}
	f.Close()
	os.Remove(name)
	fmt.Printf("full after %d MiB: %v\n", size>>20, errors.Is(err, syscall.ENOSPC))
}

func litter(dir string) {
	for i := range 1_000_000 {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint("litter", i)))
		if err != nil {
			fmt.Printf("full before a million files: %v\n", errors.Is(err, syscall.ENOSPC))
			return
		}
		f.Close()
	}
	fmt.Println("a million files")
}
