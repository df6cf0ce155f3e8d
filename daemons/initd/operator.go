package initd

import (
	"context"

	"nexus/capnpgen/operator"
	"nexus/daemons/logclient"
)

// An operatorServer serves Operator. Each part of it has only what its methods need.
type operatorServer struct {
	facetServer
	viewServer
	endServer
	s *system
}

func newOperatorServer(s *system, g grant) *operatorServer {
	return &operatorServer{
		facetServer: facetServer{g},
		viewServer:  viewServer{s.daemons, s.graph, s.config.machine},
		endServer:   endServer{s.ending, s.log, g.caller()},
		s:           s,
	}
}

// An endServer ends the system.
type endServer struct {
	ending *ending
	log    *logclient.Log
	by     logclient.Caller
}

func (o endServer) Stop(_ context.Context, _ operator.Operator_stop) error {
	o.log.Info("stop ordered by operator", "role", o.by.Role, "connection", o.by.Connection)
	return o.ending.endBy(outcome{ordered: true})
}

func (o endServer) Reboot(_ context.Context, _ operator.Operator_reboot) error {
	o.log.Info("reboot ordered by operator", "role", o.by.Role, "connection", o.by.Connection)
	return o.ending.endBy(outcome{ordered: true, again: true})
}
