package plat

import (
	"testing"

	"golang.org/x/sys/unix"
)

// However often a thread is asked for, it is a new one, and never the first of the process.
func TestOwnThread(t *testing.T) {
	ids := make(chan int)
	for range 4000 { // the first thread comes up by chance
		onOwnThread(func() { ids <- unix.Gettid() })
		if id := <-ids; id == unix.Getpid() {
			t.Fatal("it is the first thread")
		}
	}
}
