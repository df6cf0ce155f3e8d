package cli

import (
	"context"
	"fmt"
	"strings"

	"nexus/capnpgen/operator"
)

// A confined daemon, and the measures that confine it.
type confined struct {
	Daemon   string    `json:"daemon"`
	Measures []measure `json:"measures"`
}

// A measure is one part of a confinement, and whether it is in force on this machine.
type measure struct {
	Name   string `json:"name"`
	On     bool   `json:"on"`
	Detail string `json:"detail"`
}

// initDaemon is the daemon that starts and confines the others.
const initDaemon = "initd"

// confinedDaemons returns how the running daemons are confined.
func confinedDaemons(ctx context.Context, f *facets) ([]confined, error) {
	all := []confined{}
	err := eachDaemon(ctx, f, func(r *reader, m operator.DaemonStatus) {
		if name := r.Text(m.Name()); name != initDaemon && m.Pid() != 0 {
			all = append(all, confined{name, r.measures(m.Measures())})
		}
	})
	return all, err
}

func (r *reader) measures(list operator.Measure_List, err error) []measure {
	r.Note(err)
	all := []measure{}
	for i := range r.Items(list.Len()) {
		m := list.At(i)
		all = append(all, measure{r.Text(m.Name()), m.On(), r.Text(m.Detail())})
	}
	return all
}

// confinedLabel begins the lines of `nx status` about the confinement.
const confinedLabel = "confined"

// confinementRows returns one line if all measures are in force, or one for each that is not, with the daemons and the
// reason.
func confinementRows(all []confined) [][]string {
	type lack struct{ measure, why string }
	var lacks []lack
	daemons := map[lack][]string{}
	for _, d := range all {
		if len(d.Measures) == 0 {
			d.Measures = []measure{{Name: "confinement", Detail: "the system does not say more"}}
		}
		for _, m := range d.Measures {
			if m.On {
				continue
			}
			l := lack{m.Name, m.Detail}
			if daemons[l] == nil {
				lacks = append(lacks, l)
			}
			daemons[l] = append(daemons[l], d.Daemon)
		}
	}
	if len(lacks) == 0 {
		return [][]string{{confinedLabel, fmt.Sprintf("all %d daemons, by every measure", len(all))}}
	}
	var rows [][]string
	for _, l := range lacks {
		where := strings.Join(daemons[l], ", ")
		if len(daemons[l]) == len(all) {
			where = "all daemons"
		}
		rows = append(rows, []string{confinedLabel, fmt.Sprintf("not by %s (%s): %s", l.measure, where, l.why)})
	}
	return rows
}
