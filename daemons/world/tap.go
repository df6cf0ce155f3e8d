package world

import (
	"errors"
	"net"
	"os"
	"syscall"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
	"nexus/daemons/initd"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// maxPacket is the largest packet on an endowment channel, in bytes (schema/endowment.capnp).
const maxPacket = 4096

// tappedChannel puts the world between initd and a new daemon, so that each link that initd grants passes through the
// tap. It returns the daemon's end, and keeps the channel that leads to initd.
func (t *tapping) tappedChannel(daemon string, channel *net.UnixConn) (*net.UnixConn, error) {
	ours, theirs, err := plat.PacketPair()
	if err != nil {
		return nil, err
	}
	near, errNear := vat.ChannelOf(ours)
	far, errFar := vat.ChannelOf(theirs)
	if err := errors.Join(errNear, errFar); err != nil {
		return nil, err
	}
	go func() {
		defer near.Close()
		for t.endow(daemon, channel, near) == nil {
		}
	}()
	go func() {
		defer channel.Close()
		packet := make([]byte, maxPacket)
		for {
			n, err := near.Read(packet)
			if err != nil || n == 0 {
				return
			}
			if _, err := channel.Write(packet[:n]); err != nil {
				return
			}
		}
	}()
	return far, nil
}

// endow passes on one endowment. Each link is spliced once: at the end that uses it, or at the server's end if initd
// uses it.
func (t *tapping) endow(daemon string, from, to *net.UnixConn) error {
	packet, rights := make([]byte, maxPacket), make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := from.ReadMsgUnix(packet, rights)
	if err != nil || n == 0 {
		return net.ErrClosed
	}
	file, err := granted(rights[:oobn])
	if err != nil {
		return err
	}
	if file == nil {
		_, err := to.Write(packet[:n])
		return err
	}
	defer func() { file.Close() }()
	w, tapped, err := linkOf(daemon, packet[:n])
	if err != nil {
		return err
	}
	if tapped {
		if file, err = t.through(w, daemon == w.near, file); err != nil {
			return err
		}
	}
	_, _, err = to.WriteMsgUnix(packet[:n], syscall.UnixRights(int(file.Fd())), nil)
	return err
}

// linkOf returns the link to which an endowment belongs, and whether this end is the one to splice.
func linkOf(daemon string, packet []byte) (w link, tapped bool, err error) {
	msg, err := capnp.Unmarshal(packet)
	if err != nil {
		return w, false, err
	}
	m, err := endowment.ReadRootEndowment(msg)
	if err != nil {
		return w, false, err
	}
	name, errName := m.Name()
	peer, errPeer := m.Peer()
	switch m.Kind() {
	case endowment.Endowment_Kind_use:
		return link{name, daemon, peer}, true, errors.Join(errName, errPeer)
	case endowment.Endowment_Kind_serve:
		if _, role := initd.RoleOf(peer); role { // a link that initd holds for an outside caller
			peer = InitName
		}
		return link{name, peer, daemon}, peer == InitName, errors.Join(errName, errPeer)
	}
	return w, false, nil
}

// through replaces one end of a link by another, with the tap in between. It takes ownership of end.
func (t *tapping) through(w link, isNear bool, end *os.File) (*os.File, error) {
	defer end.Close()
	ours, theirs, err := plat.StreamPair()
	if err != nil {
		return end, err
	}
	defer ours.Close()
	daemonSide, errDaemon := vat.Socket(ours)
	otherSide, errOther := vat.Socket(end)
	if err := errors.Join(errDaemon, errOther); err != nil {
		return theirs, err
	}
	if isNear {
		t.splice(w, daemonSide, otherSide)
	} else {
		t.splice(w, otherSide, daemonSide)
	}
	return theirs, nil
}

// granted returns the descriptor in a control message, or nil if there is none.
func granted(rights []byte) (*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil, err
	}
	syscall.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "granted"), nil
}
