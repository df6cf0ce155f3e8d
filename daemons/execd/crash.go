package execd

import (
	"encoding/hex"
	"slices"
	"syscall"

	"nexus/daemons/logclient"
)

// report reports that a program ended as it should not have, once all that it wrote has been read.
func (l *launcher) report(spec spec, p *program, how string, restarts uint32) {
	exit := p.process.Exit()
	output, trace := p.output.last(), p.output.traced()
	limits := logclient.LimitsIn(slices.Concat(output, trace))
	for limit, hit := range map[string]bool{
		logclient.LimitMemory: p.group.Exceeded(), logclient.LimitTasks: p.group.Refused(),
	} {
		if hit && !slices.Contains(limits, limit) {
			limits = append(limits, limit)
		}
	}
	slices.Sort(limits)
	l.log.Crash(logclient.Crash{
		Process: "bundle:" + spec.name, Exit: how, Code: exit.Code, Signal: exit.Signal, Version: spec.version,
		Slot: slotName(spec.slot), Set: hex.EncodeToString(spec.set), Uptime: l.host.Clock.Now().Sub(p.began),
		Restarts: restarts, Limits: limits, Output: output, Trace: trace,
	})
}

// reportRun reports the end of a program that was run on demand, if something else than itself, or a fault, ended it.
// Any other exit code is an answer to whoever ran it.
func (l *launcher) reportRun(spec spec, p *program) {
	<-p.process.Done()
	exit := p.process.Exit()
	p.output.drain(l.host.Clock)
	signal := syscall.Signal(exit.Signal)
	if signal == syscall.SIGTERM || signal == syscall.SIGKILL && !p.group.Exceeded() {
		return // whoever ran it ended it
	}
	if exit.Signal != 0 || len(p.output.traced()) > 0 && !exit.OK() {
		l.report(spec, p, exit.String(), 0)
	}
}
