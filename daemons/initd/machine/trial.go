package machine

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/durable"
)

// verdictsFile keeps the verdicts on the machine's disk: a line for each, `works i6300ESB timer`.
const verdictsFile = "watchdogs"

// Bounds of that file.
const (
	maxVerdicts     = 4 << 10 // bytes
	maxWatchdogName = 32      // bytes, as the kernel has it
)

// readVerdicts reads the stored verdicts. It ignores what is not a verdict: the next trial will tell.
func readVerdicts(files durable.FS) verdicts {
	v := verdicts{}
	file, err := files.Open(verdictsFile)
	if err != nil {
		return v
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxVerdicts))
	if err != nil {
		return v
	}
	for _, line := range strings.Split(string(text), "\n") {
		word, name, _ := strings.Cut(line, " ")
		is := verdict(word)
		if name != "" && len(name) <= maxWatchdogName && (is == tried || is == works || is == fails) {
			v[name] = is
		}
	}
	return v
}

// keep stores the verdicts, durably.
func (v verdicts) keep(files durable.FS) error {
	var lines []string
	for name, is := range v {
		lines = append(lines, string(is)+" "+name+"\n")
	}
	slices.Sort(lines)
	if err := durable.WriteFile(files, verdictsFile, []byte(strings.Join(lines, ""))); err != nil {
		return fmt.Errorf("cannot store verdicts on watchdogs: %w", err)
	}
	return nil
}

// conclude returns the result of a trial that the previous boot started, given why this boot began.
func (v verdicts) conclude(cause bootctl.Cause) (changed bool) {
	for name, is := range v {
		switch {
		case is != tried:
			continue
		case cause == bootctl.Watchdog, cause == bootctl.Unknown:
			v[name] = works
		default: // the power was cut or the kernel panicked before it expired
			delete(v, name)
		}
		changed = true
	}
	return changed
}

// In a trial, the timeout of the watchdog, and how long to wait for the reset. The chipset's resets only when it has
// expired twice.
const (
	trialTimeout  = 5 * time.Second
	trialPatience = 4 * trialTimeout
)

// LineTrial is the prefix of console lines about a watchdog's trial.
const LineTrial = "init: watchdog: "

// Recall uses the verdicts stored in the system's folder, and arms a better watchdog if there is one. With try it first
// tests whether the best one resets the machine, which costs one reboot, once. Whatever fails here, the machine starts.
func (m *Machine) Recall(dir string, try bool, console io.Writer) {
	if m.watchdog == nil {
		return
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		defer root.Close()
		err = m.learn(durable.OS(root), try && !m.taken, console)
	}
	if err != nil {
		fmt.Fprintf(console, "%s%v\n", LineTrial, err)
	}
	if !m.taken {
		m.rearm(console)
	}
}

// learn reads the stored verdicts, and adds what the end of the previous boot has shown.
func (m *Machine) learn(files durable.FS, try bool, console io.Writer) error {
	m.known = readVerdicts(files)
	changed := m.known.conclude(m.cause)
	if name := m.watchdog.Name(); m.watchdog.Barked() && m.known[name] != works {
		m.known[name], changed = works, true
	}
	if changed {
		if err := m.known.keep(files); err != nil {
			return err
		}
	}
	if !try {
		return nil
	}
	return m.try(files, console)
}

// try tests one watchdog after the other. One that works resets the machine, and the next boot sees that.
func (m *Machine) try(files durable.FS, console io.Writer) error {
	devices, err := m.dogs.list()
	if err != nil {
		return err
	}
	for _, device := range m.known.order(devices) {
		if m.known[device.Name] == works {
			return nil
		}
		m.known[device.Name] = tried
		if err := m.known.keep(files); err != nil {
			return err
		}
		if err := m.outlast(device, console); err != nil {
			fmt.Fprintf(console, "%s%v\n", LineTrial, err)
			delete(m.known, device.Name) // this says nothing about whether it works
		} else {
			fmt.Fprintf(console, "%s%s does not restart the machine\n", LineTrial, device.Name)
			m.known[device.Name] = fails
		}
		if err := m.known.keep(files); err != nil {
			return err
		}
	}
	return nil
}

// outlast arms a watchdog instead of the current one. It returns nil if the machine still runs long after it has
// expired.
func (m *Machine) outlast(device plat.WatchdogDevice, console io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.release(); err != nil {
		return err
	}
	dog, err := m.dogs.open(device.Path, trialTimeout)
	if err != nil {
		return err
	}
	m.watchdog = dog
	m.leave(markHangs, m.clock.Now()) // so that the next boot knows why this one ended
	fmt.Fprintf(console, "%s%s is tried: it restarts the machine now, or never\n", LineTrial, device.Name)
	<-m.clock.After(trialPatience)
	return m.release()
}

// rearm arms the best watchdog by what is known now, unless it is armed already.
func (m *Machine) rearm(console io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	devices, err := m.dogs.list()
	best := m.known.order(devices)
	if err == nil && m.watchdog != nil && len(best) > 0 && best[0].Name == m.watchdog.Name() {
		return
	}
	if err := m.release(); err != nil {
		fmt.Fprintf(console, "%s%v\n", LineTrial, err)
	}
	if m.watchdog, err = m.dogs.arm(m.known, m.timeout); err != nil {
		m.missing = err.Error()
		fmt.Fprintf(console, "%s%v\n", LineNoWatchdog, err)
	}
	m.leave(markRuns, m.clock.Now())
}

// release disarms the watchdog, if there is one. The lock is held.
func (m *Machine) release() error {
	if m.watchdog == nil {
		return nil
	}
	err := m.watchdog.Disarm()
	m.watchdog = nil
	return err
}
