package updateclient

import (
	"context"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/operator"
	"nexus/daemons/vat"
	"nexus/daemons/vat/guard"
)

// A Link is a caller's own link to a daemon: nothing on it passes through initd.
type Link struct {
	Facet capnp.Client // lasts as long as the link
	conn  *vat.Conn
	drop  func()
}

// Direct makes a link to the daemon whose facet a method of the Operator returns. files has what came beside the
// messages of the Operator's connection. The result is nil if there is no such link, as on a connection that does not
// lead to initd itself, or with an older system. Call the method instead then; it has the reason for anything else.
func Direct(ctx context.Context, op operator.Operator, files *guard.Files, method string) *Link {
	answer, release := op.Link(ctx, func(p operator.Operator_link_Params) error { return p.SetMethod(method) })
	_, err := answer.Struct()
	end := files.Take()
	if err != nil || end == nil {
		release()
		return nil
	}
	socket, err := vat.Socket(end)
	end.Close()
	if err != nil {
		release()
		return nil
	}
	l := &Link{conn: vat.Connect(socket, capnp.Client{}), drop: release}
	if l.Facet, err = l.conn.Bootstrap(ctx); err != nil {
		l.Close()
		return nil
	}
	return l
}

// Close ends the link, and all that was obtained over it.
func (l *Link) Close() {
	if l == nil {
		return
	}
	l.Facet.Release()
	l.conn.Close()
	l.drop()
}
