package kit

import (
	"os"
	"os/signal"
	"syscall"
)

// HearSignals has programs that are started from now on end by Ctrl-C and a hang-up also where this one was told to
// ignore them: by nohup, or by a script that runs it in the background. What a process handles has its default in its
// children.
func HearSignals() {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}
