package initd

import (
	"sync"

	"nexus/capnpgen/exec"
)

// lastWords keep what services reported last, in case it explains why an attempt failed.
type lastWords struct {
	mu    sync.Mutex
	known map[string]serviceWords
}

// serviceWords are the last output of a service, and the last thing that it was refused.
type serviceWords struct{ output, refused []string }

// note keeps the newest report.
func (l *lastWords) note(services exec.ServiceStatus_List) error {
	known := map[string]serviceWords{}
	for i := range services.Len() {
		name, words, err := wordsIn(services.At(i))
		if err != nil {
			return err
		}
		known[name] = words
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = known
	return nil
}

func wordsIn(m exec.ServiceStatus) (name string, w serviceWords, err error) {
	if name, err = m.Name(); err != nil {
		return "", w, err
	}
	if w.output, err = textsOf(m.Output()); err != nil {
		return "", w, err
	}
	w.refused, err = textsOf(m.Refused())
	return name, w, err
}

// of returns those of one service, or nothing if there is none of that name.
func (l *lastWords) of(service string) serviceWords {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[service]
}
