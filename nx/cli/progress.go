package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"nexus/capnpgen/update"
)

// A progress shows the progress of a stage. Its methods may be called from any goroutine; after end it shows nothing.
type progress interface {
	at(phase update.Progress_Phase, done, total, reused uint64)
	whole(total uint64) // the stage is complete, whatever was reported: the answer may overtake the last report
	end()
}

// progress chooses how to show it: not at all with --json, as a bar on a terminal, else as lines.
func (t *terminal) progress(file string) progress {
	name := clean(filepath.Base(file))
	switch {
	case t.json:
		return silence{}
	case t.host.Terminal:
		return &bar{w: t.host.Stderr, name: name}
	default:
		return &lines{w: t.host.Stderr, name: name}
	}
}

// A progressServer passes on the system's reports.
type progressServer struct{ show progress }

// OnProgress shows one step.
func (s *progressServer) OnProgress(_ context.Context, call update.StageProgress_onProgress) error {
	p, err := call.Args().Progress()
	if err != nil {
		return err
	}
	s.show.at(p.Phase(), p.DoneBytes(), p.TotalBytes(), p.ReusedBytes())
	return nil
}

type silence struct{}

func (silence) at(update.Progress_Phase, uint64, uint64, uint64) {}
func (silence) whole(uint64)                                     {}
func (silence) end()                                             {}

// lines prints a line at each quarter, at each new phase, and when it is known how much is reused.
type lines struct {
	w    io.Writer
	name string

	mu      sync.Mutex
	over    bool
	quarter uint64
	phase   update.Progress_Phase
	reused  uint64
}

func (l *lines) at(phase update.Progress_Phase, done, total, reused uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || total == 0 {
		return
	}
	l.show(phase, done, total, reused)
}

func (l *lines) whole(total uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if total > 0 {
		l.show(l.phase, total, total, l.reused)
	}
}

// show prints what is new. The caller holds mu.
func (l *lines) show(phase update.Progress_Phase, done, total, reused uint64) {
	if reused != l.reused && phase != update.Progress_Phase_reused {
		l.reused = reused
		fmt.Fprintf(l.w, "%s: %s in place already\n", l.name, humanize.IBytes(reused))
	}
	if quarter := uint64(4 * float64(min(done, total)) / float64(total)); quarter > l.quarter {
		l.quarter = quarter
		percent := int(100 * float64(min(done, total)) / float64(total))
		fmt.Fprintf(l.w, "%s: %d%% (%s of %s)\n", l.name, percent, humanize.IBytes(done), humanize.IBytes(total))
	}
	if phase != l.phase {
		l.phase = phase
		fmt.Fprintf(l.w, "%s: %s\n", l.name, phaseText(phase))
	}
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

func phaseText(phase update.Progress_Phase) string {
	switch phase {
	case update.Progress_Phase_publishing:
		return "verified, making it durable"
	case update.Progress_Phase_reused:
		return "verifying, the system has it already"
	default:
		return "receiving and verifying"
	}
}

// drawEvery is the least time between two drawings of a bar.
const drawEvery = 50 * time.Millisecond

// A bar is one line of a terminal that is redrawn, and erased at the end.
type bar struct {
	w    io.Writer
	name string

	mu    sync.Mutex
	over  bool
	phase update.Progress_Phase
	bar   *progressbar.ProgressBar
}

func (b *bar) at(phase update.Progress_Phase, done, total, _ uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || total == 0 {
		return
	}
	const most = math.MaxInt64 // of what the bar can count
	done, total = min(done, most), min(total, most)
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(int64(total),
			progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(b.name),
			progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(drawEvery), progressbar.OptionClearOnFinish())
	}
	if phase != b.phase {
		b.phase = phase
		b.bar.Describe(b.name + ": " + phaseText(phase))
	}
	b.bar.Set64(min(int64(done), b.bar.GetMax64()))
}

func (b *bar) whole(uint64) {} // it goes with the end

func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	if b.bar != nil {
		b.bar.Clear()
	}
}
