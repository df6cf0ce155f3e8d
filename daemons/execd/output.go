package execd

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"sync"

	"nexus/daemons/logs"
)

// Bounds on what a bundle says.
const (
	maxLine   = 2048 // a longer line is cut into pieces of this size
	lastLines = 16   // how many lines a crash report holds
)

// An output is what a program writes on its standard output and error: each line a log record of that bundle.
type output struct {
	log  *logs.Log
	over chan struct{} // closed at end of file

	mu   sync.Mutex
	tail []string
}

// capture makes the pipe a program writes to. The caller closes the writer once the program has it.
func (s *supervisor) capture(ctx context.Context, name string) (*output, *os.File, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	o := &output{log: s.log.ForSender(name), over: make(chan struct{})}
	go o.read(reader)
	return o, writer, nil
}

func (o *output) read(r *os.File) {
	defer close(o.over)
	defer r.Close()
	defer o.log.Close()
	lines := bufio.NewReaderSize(r, maxLine)
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
	o.mu.Unlock()
	o.log.Info(line)
}

// drain waits until everything a program that has ended wrote has been taken.
func (o *output) drain() { <-o.over }

// last returns the last lines.
func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.tail...)
}
