package vat

import (
	"net"
	"time"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
)

// reportTimeout is how long a report waits for room on the channel before it is dropped.
const reportTimeout = time.Second

// A report is what a daemon tells initd over its endowment channel.
type report struct {
	Kind  endowment.Report_Kind
	Facet string // for ended: the facet used on the link
	Link  uint64 // for ended: the link's number
}

// sendReport sends a report to initd. It waits at most reportTimeout.
func sendReport(channel *net.UnixConn, r report) error {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	m, err := endowment.NewRootReport(seg)
	if err != nil {
		return err
	}
	m.SetKind(r.Kind)
	m.SetLink(r.Link)
	if err := m.SetFacet(r.Facet); err != nil {
		return err
	}
	packet, err := msg.Marshal()
	if err != nil {
		return err
	}
	channel.SetWriteDeadline(time.Now().Add(reportTimeout))
	_, err = channel.Write(packet)
	return err
}

// parseReport decodes a packet from a daemon, which may contain anything.
func parseReport(packet []byte) (report, error) {
	msg, err := capnp.Unmarshal(packet)
	if err != nil {
		return report{}, err
	}
	m, err := endowment.ReadRootReport(msg)
	if err != nil {
		return report{}, err
	}
	facet, err := m.Facet()
	return report{Kind: m.Kind(), Facet: facet, Link: m.Link()}, err
}
