package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/capnpgen/update"
	"nexus/daemons/plat"
	"nexus/daemons/updateclient"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
	"nexus/selftest/kit"
)

// carrying measures what a stage costs the first process: its processor time, and its memory beyond that before the
// stage. The floor is what it costs where the first process passes the bytes on, as it does for a guest's port.
func carrying() Table {
	const floor, ours = "bytes, passed on by initd", "an open file, over a link to updated"
	return Table{
		Title: fmt.Sprintf("initd's processor time and added memory while %d MiB are staged", medium().Size>>20),
		Input: medium(), Quick: true, Setup: ready, Floor: floor, Ours: ours, Aim: 0.05,
		Rows: []Row{
			{Name: floor, Run: carried(false, false)},
			{Name: "bytes, over a link to updated", Run: carried(true, false)},
			{Name: ours, Run: carried(true, true)},
		},
	}
}

// carried stages the set in one way.
func carried(direct, asFile bool) func(context.Context, Place) (Figures, error) {
	return func(ctx context.Context, p Place) (Figures, error) {
		return booted(ctx, p, func(h *kit.Host, _ int) (Figures, error) {
			before, err := costOf(h.PID())
			if err != nil {
				return nil, err
			}
			if err := send(ctx, h.Dir, filepath.Join(p.Work, "set.nxs"), direct, asFile); err != nil {
				return nil, err
			}
			after, err := costOf(h.PID())
			if err != nil {
				return nil, err
			}
			return Figures{after[seconds] - before[seconds], after[peak] - before[peak]}, nil
		})
	}
}

// send stages a set over a connection of its own.
func send(ctx context.Context, dir, set string, direct, asFile bool) error {
	file, err := os.Open(set)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	socket, err := plat.DialPath(filepath.Join(dir, "control.sock"))
	if err != nil {
		return err
	}
	files := &guard.Files{}
	conn := vat.Connect(socket, capnp.Client{}, guard.AcceptFiles(files))
	defer conn.Close()
	root, err := conn.Bootstrap(ctx)
	if err != nil {
		return err
	}
	defer root.Release()
	op := operator.Operator(root)
	answer, release := op.Updated(ctx, nil)
	defer release()
	facet := answer.Updated()
	var link *updateclient.Link
	if direct {
		if link = updateclient.Direct(ctx, op, files, "updated"); link == nil {
			return errors.New("cannot get a link to updated")
		}
		defer link.Close()
		facet = update.Updated(link.Facet)
	}
	sink := updateclient.StageSystem(ctx, facet, link, uint64(info.Size()), update.StageProgress{})
	defer sink.Release()
	handed := file
	if !asFile {
		handed = nil
	}
	staged, err := sink.Send(ctx, io.NewSectionReader(file, 0, info.Size()), handed)
	staged.System.Release()
	return err
}

// costOf returns the processor time that the threads of a process have had, and its peak memory (proc(5)).
func costOf(pid int) (Figures, error) {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(stats) == 0 {
		return nil, errors.Join(err, fmt.Errorf("cannot find the threads of process %d", pid))
	}
	total := 0.0
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var ns float64
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			return nil, err
		}
		total += ns
	}
	memory, err := peakOf(pid)
	return Figures{total / 1e9, memory}, err
}
