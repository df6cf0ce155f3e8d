package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"nexus/selftest/console"
)

// A visitor asks a server for its page without a pause.
type visitor struct {
	t     *testing.T
	stop  chan struct{}
	done  chan struct{}
	lines console.Lines
}

func visit(t *testing.T, port uint16) *visitor {
	v := &visitor{t: t, stop: make(chan struct{}), done: make(chan struct{})}
	read, write := io.Pipe()
	go v.lines.Read(read, nil)
	go func() {
		defer close(v.done)
		defer write.Close()
		for {
			select {
			case <-v.stop:
				return
			default:
			}
			text, err := get(port, "/")
			if err != nil {
				text = fmt.Sprintf("lost: %v\n", err)
			}
			io.WriteString(write, text)
		}
	}()
	return v
}

// awaitFrom waits until the server answers with this greeting.
func (v *visitor) awaitFrom(greeting string) {
	v.t.Helper()
	err := v.lines.Await(patience, greeting, func(lines []string) (bool, error) {
		return len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], greeting), nil
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// end ends the visits to a server that had counted one before, was updated, and was rolled back. It returns the number
// of the next visit. Each version has to count on from what it was given, and only the request that was being answered
// when a version was told to end may be lost, because a slow machine may need more than its time for that.
func (v *visitor) end() (next int) {
	v.t.Helper()
	close(v.stop)
	<-v.done
	visits, before, lost, ends, last := 1, 0, 0, 0, ""
	for _, line := range v.lines.Since(0) {
		greeting, number, _ := strings.Cut(line, ", visit ")
		n, err := strconv.Atoi(number)
		if err != nil {
			v.t.Log(line)
			lost++
			continue
		}
		switch {
		case last == "" || greeting == last:
		case ends == 0:
			ends, before = 1, visits
		default:
			ends, visits = ends+1, before
		}
		if n <= visits || n > visits+1+lost {
			v.t.Errorf("%q follows visit %d, with %d lost", line, visits, lost)
		}
		visits, last = n, greeting
	}
	if ends != 2 || lost > ends {
		v.t.Errorf("%d requests were lost at %d ends", lost, ends)
	}
	return visits + 1
}
