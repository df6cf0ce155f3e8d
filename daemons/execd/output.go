package execd

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"sync"
	"time"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
)

// Bounds on a bundle's output.
const (
	maxLine   = 2048 // a longer line is cut into pieces of this size
	lastLines = 16   // how many lines a crash report holds
	maxTrace  = 32   // and of a trace
)

// drainPatience bounds the wait for the last lines of a program that has ended.
const drainPatience = 500 * time.Millisecond

// An output is what a program writes to its standard output and error: each line becomes a log record of that bundle.
type output struct {
	log  *logclient.Log
	pipe *os.File
	over chan struct{} // closed when all was taken

	mu    sync.Mutex
	tail  []string
	trace []string // from the line on that begins the newest trace of a Go program
}

// newOutput makes the pipe for a program's output, and logs what comes out of it. It closes the log when all was taken.
// The caller closes the writer once the program has it.
func newOutput(log *logclient.Log) (*output, *os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		log.Close()
		return nil, nil, err
	}
	o := &output{log: log, pipe: reader, over: make(chan struct{})}
	go o.read()
	return o, writer, nil
}

func (o *output) read() {
	defer o.log.Close()
	defer o.pipe.Close()
	defer close(o.over)
	lines := bufio.NewReaderSize(o.pipe, maxLine)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		o.say(string(bytes.ToValidUTF8(line, []byte("?"))))
	}
}

func (o *output) say(line string) {
	o.mu.Lock()
	o.tail = append(o.tail, line)
	if len(o.tail) > lastLines {
		o.tail = o.tail[1:]
	}
	switch {
	case logclient.BeginsTrace(line):
		o.trace = []string{line}
	case len(o.trace) > 0 && len(o.trace) < maxTrace:
		o.trace = append(o.trace, line)
	}
	o.mu.Unlock()
	o.log.Info(line)
}

// drain reads the rest of the output of a program that has ended. It waits only briefly for other processes that may
// hold the other end.
func (o *output) drain(clock plat.Clock) {
	select {
	case <-o.over:
	case <-clock.After(drainPatience):
		o.pipe.Close()
	}
}

// last returns the last lines.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.tail...)
}

// traced returns the beginning of the newest trace.
func (o *output) traced() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.trace...)
}

// maxStatusBytes bounds the last lines in a service's status (schema/exec.capnp).
const maxStatusBytes = 2048

// lastShort returns as many of the last lines as fit into a status. A longer line is cut at its beginning.
func (o *output) lastShort() []string {
	lines := o.last()
	room := maxStatusBytes
	for i := len(lines) - 1; i >= 0; i-- {
		if room -= len(lines[i]) + 1; room >= 0 {
			continue
		}
		if i == len(lines)-1 {
			end := lines[i][len(lines[i])-maxStatusBytes+1:]
			return []string{strings.ToValidUTF8(end, "")}
		}
		return lines[i+1:]
	}
	return lines
}

// said returns the program's last output, and what was refused to it.
func (p *program) said() (output, refused []string) {
	output = p.output.lastShort()
	var exit plat.Exit
	select {
	case <-p.process.Done():
		exit = p.process.Exit()
	default:
	}
	return output, p.refused.told(output, exit)
}
