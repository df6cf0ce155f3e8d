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
	return o.end("stop", outcome{ordered: true})
}

func (o endServer) Reboot(_ context.Context, _ operator.Operator_reboot) error {
	return o.end("reboot", outcome{ordered: true, again: true})
}

// end carries out an order, and writes the audit record.
func (o endServer) end(op string, how outcome) error {
	return o.ending.endBy(how, func(err error) { o.log.Audit(logclient.Audit{Op: op, By: o.by}.Outcome(err)) })
}
