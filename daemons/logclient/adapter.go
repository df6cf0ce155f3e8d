package logclient

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"nexus/capnpgen/journal"
)

// An adapter is where hclog hands over what was logged.
type adapter struct {
	name  string // of the log; a logger named further says so in a field
	queue *queue
}

// Accept puts a message into the queue. Trace messages are for a developer's own output and stay out of the journal.
func (a adapter) Accept(name string, level hclog.Level, message string, args ...any) {
	if level == hclog.Trace {
		return
	}
	e := Entry{Level: levelOf(level), Message: message}
	if name != a.name {
		e.Fields = append(e.Fields, Field{"logger", name})
	}
	for ; len(args) >= 2; args = args[2:] {
		e.Fields = append(e.Fields, Field{textOf(args[0]), textOf(args[1])})
	}
	if len(args) == 1 {
		e.Fields = append(e.Fields, Field{hclog.MissingKey, textOf(args[0])})
	}
	a.queue.add(e)
}

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case hclog.Format:
		if len(v) > 0 {
			if layout, ok := v[0].(string); ok {
				return fmt.Sprintf(layout, v[1:]...)
			}
		}
	}
	return fmt.Sprint(value)
}

func levelOf(level hclog.Level) journal.Level {
	switch level {
	case hclog.Debug:
		return journal.Level_debug
	case hclog.Warn:
		return journal.Level_warn
	case hclog.Error:
		return journal.Level_error
	default:
		return journal.Level_info
	}
}
