package initd

import (
	"context"
	"errors"
	"os"
	"time"

	"nexus/capnpgen/operator"
	"nexus/daemons/initd/machine"
	"nexus/daemons/initd/supervise"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// A viewServer shows the state of the system, and changes nothing.
type viewServer struct {
	daemons *supervise.Supervisor
	graph   func() []graphEdge // the current one
	machine *machine.Machine   // nil on a host
}

func (o viewServer) Daemons(_ context.Context, call operator.Operator_daemons) error {
	call.Go() // reading the memory use of a busy process may take a while
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	daemons := o.daemons.Statuses()
	list, err := res.NewDaemons(int32(1 + len(daemons)))
	if err != nil {
		return err
	}
	if err := describe(list.At(0), initName, os.Getpid(), true); err != nil {
		return err
	}
	for i, s := range daemons {
		d := list.At(1 + i)
		d.SetRestarts(s.Restarts)
		if err := describe(d, s.Name, s.PID, s.Ready); err != nil {
			return err
		}
		if err := errors.Join(d.SetLastExit(s.LastExit), setMeasures(d, s.Measures)); err != nil {
			return err
		}
	}
	return nil
}

// describe fills in what initd and daemons have in common. The pid of a daemon that does not run is 0.
func describe(d operator.DaemonStatus, name string, pid int, ready bool) error {
	d.SetPid(uint32(pid))
	d.SetReady(ready)
	if pid != 0 {
		d.SetPssBytes(plat.PSS(pid))
	}
	return d.SetName(name)
}

// setMeasures fills in how a daemon's process is confined.
func setMeasures(d operator.DaemonStatus, measures []plat.Measure) error {
	list, err := d.NewMeasures(int32(len(measures)))
	if err != nil {
		return err
	}
	for i, measure := range measures {
		m := list.At(i)
		m.SetOn(measure.On)
		if err := errors.Join(m.SetName(measure.Name), m.SetDetail(measure.Detail)); err != nil {
			return err
		}
	}
	return nil
}

func (o viewServer) Graph(_ context.Context, call operator.Operator_graph) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	edges := o.graph()
	list, err := res.NewEdges(int32(len(edges)))
	if err != nil {
		return err
	}
	for i, edge := range edges {
		e := list.At(i)
		if err := errors.Join(e.SetHolder(edge.holder), e.SetFacet(edge.Facet),
			e.SetProvider(edge.From), vat.SetTexts(e.NewGrants, edge.Grants)); err != nil {
			return err
		}
	}
	return nil
}

func (o viewServer) Watchdog(_ context.Context, call operator.Operator_watchdog) error {
	res, err := call.AllocResults()
	if err != nil || o.machine == nil {
		return err
	}
	w, err := res.NewWatchdog()
	if err != nil {
		return err
	}
	status := o.machine.Watchdog()
	if !status.On {
		return w.SetDetail(status.Missing)
	}
	w.SetOn(true)
	w.SetProven(status.Proven)
	w.SetTimeoutMs(uint32(status.Timeout / time.Millisecond))
	return w.SetName(status.Name)
}

// A graphEdge is one line of `nx graph`.
type graphEdge struct {
	holder string
	Edge
}

// graph flattens the table: for each row its facets, then its resources; then the roles that have a socket.
func graph(table []Daemon, roles []Role) []graphEdge {
	var edges []graphEdge
	for _, row := range table {
		for _, edge := range row.Holds {
			edges = append(edges, graphEdge{row.Name, edge})
		}
		for _, name := range row.Dirs {
			edges = append(edges, graphEdge{row.Name, Edge{Facet: "dir:" + name}})
		}
		for _, name := range row.Files {
			edges = append(edges, graphEdge{row.Name, Edge{Facet: "file:" + name}})
		}
	}
	for _, role := range roles {
		edges = append(edges, graphEdge{role.Name, role.Edge()})
	}
	return edges
}
