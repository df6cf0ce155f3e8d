package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime/debug"

	"nexus/libupdates/delta"
)

// In a delta, what has to be known of a patch is in the signed index. Here it precedes the patch.

func makePatch(oldName, newName, name string) error {
	debug.SetGCPercent(20) // as nxs-pack does
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
	var patch bytes.Buffer
	p, err := delta.Make(&patch, old, oldSize, fresh, newSize)
	if err != nil {
		return err
	}
	var head bytes.Buffer
	if err := binary.Write(&head, binary.LittleEndian, p); err != nil {
		return err
	}
	return os.WriteFile(name, append(head.Bytes(), patch.Bytes()...), 0o644)
}

func applyPatch(oldName, name, newName string) error {
	old, _, err := open(oldName)
	if err != nil {
		return err
	}
	defer old.Close()
	patch, err := os.Open(name)
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
