package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/dustin/go-humanize"

	"nexus/capnpgen/exec"
	"nexus/capnpgen/operator"
)

// servicesVerb shows the services of the published slot and the daemons under them.
type servicesVerb struct{}

// A roll lists what runs.
type roll struct {
	Services []serviceState `json:"services"`
	Daemons  []daemonState  `json:"daemons"`
}

type serviceState struct {
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	State    string  `json:"state"`
	Native   bool    `json:"native"`
	PID      uint32  `json:"pid"`
	Restarts uint32  `json:"restarts"`
	Detail   string  `json:"detail"`
	Slot     *string `json:"slot"`
	Since    uint64  `json:"since"`         // the attempt during which its program was started
	Earlier  bool    `json:"earlier"`       // that is before the attempt of the publication
	App      *string `json:"app,omitempty"` // the package of apps that it is of; null: the system
}

type daemonState struct {
	Name     string `json:"name"`
	PID      uint32 `json:"pid"`
	Ready    bool   `json:"ready"`
	Restarts uint32 `json:"restarts"`
	LastExit string `json:"lastExit"`
	PSSBytes uint64 `json:"pssBytes"`
}

// Run shows services and daemons.
func (*servicesVerb) Run(ctx context.Context, in *invocation) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		services, err := serviceStates(ctx, &s.facets)
		if err != nil {
			return cannot("show services", "", err)
		}
		daemons, err := daemonStates(ctx, &s.facets)
		if err != nil {
			return cannot("show daemons", "", err)
		}
		all := roll{services, daemons}
		return in.answer(all, func(w io.Writer) { printRoll(w, all) })
	})
}

func serviceStates(ctx context.Context, f *facets) ([]serviceState, error) {
	services, done := f.services(ctx)
	defer done()
	answer, release := services.List(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Services()
	if err != nil {
		return nil, err
	}
	var r reader
	states := []serviceState{}
	for i := range r.Items(list.Len()) {
		one := r.service(list.At(i))
		one.Earlier = one.App == nil && one.Since > 0 && one.Since < res.Boot() // packages count their own attempts
		states = append(states, one)
	}
	return states, r.Err
}

func (r *reader) service(m exec.ServiceStatus) serviceState {
	return serviceState{
		Name: r.Text(m.Name()), Version: r.Text(m.Version()), State: nameOf(m.State().String()), Native: m.Native(),
		PID:      m.Pid(),
		Restarts: m.Restarts(), Detail: r.Text(m.Detail()), Slot: slotOrNull(m.Slot()), Since: m.Since(),
		App: orNull(r.Text(m.App()), ""),
	}
}

func daemonStates(ctx context.Context, f *facets) ([]daemonState, error) {
	states := []daemonState{}
	err := eachDaemon(ctx, f, func(r *reader, m operator.DaemonStatus) { states = append(states, r.daemon(m)) })
	return states, err
}

// eachDaemon asks for the daemons and calls note for each.
func eachDaemon(ctx context.Context, f *facets, note func(*reader, operator.DaemonStatus)) error {
	answer, release := f.operator.Daemons(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return err
	}
	list, err := res.Daemons()
	if err != nil {
		return err
	}
	var r reader
	for i := range r.Items(list.Len()) {
		note(&r, list.At(i))
	}
	return r.Err
}

func (r *reader) daemon(m operator.DaemonStatus) daemonState {
	return daemonState{Name: r.Text(m.Name()), PID: m.Pid(), Ready: m.Ready(), Restarts: m.Restarts(),
		LastExit: r.Text(m.LastExit()), PSSBytes: m.PssBytes()}
}

func printRoll(w io.Writer, all roll) {
	rows := [][]string{{"NAME", "VERSION", "STATE", "KIND", "PID", "MEMORY", "RESTARTS", "DETAIL"}}
	for _, s := range all.Services {
		kind := "plain service"
		if s.Native {
			kind = "native service"
		}
		detail := orDash(s.Detail)
		if s.Earlier {
			detail += fmt.Sprintf(" (since attempt %d)", s.Since)
		}
		rows = append(rows, []string{s.Name, s.Version, s.State, kind, pidText(s.PID), "-", number(s.Restarts), detail})
	}
	for _, d := range all.Daemons {
		rows = append(rows, []string{d.Name, "-", d.stateText(), "daemon", pidText(d.PID), memoryText(d.PSSBytes),
			number(d.Restarts), orDash(d.LastExit)})
	}
	table(w, rows)
}

func (d daemonState) stateText() string {
	switch {
	case d.PID == 0:
		return "stopped"
	case d.Ready:
		return "ready"
	default:
		return "starting"
	}
}

func pidText(pid uint32) string {
	if pid == 0 {
		return "-"
	}
	return number(pid)
}

func memoryText(bytes uint64) string {
	if bytes == 0 {
		return "-"
	}
	return humanize.IBytes(bytes)
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
