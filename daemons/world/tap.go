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

// maxPacket bounds one message on an endowment channel (schema/endowment.capnp).
const maxPacket = 4096

// tappedChannel puts the world between initd and a newborn daemon: every link that initd hands over is one that is
// listened to. It returns the daemon's end and keeps the channel, which is initd's other end.
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

// endow passes on one endowment. Each link is spliced once: at its holder, or at its server where the holder is initd
// itself.
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

// linkOf tells which link an endowment is an end of, and whether this is the end to splice.
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
		if _, role := initd.RoleOf(peer); role { // a link that initd holds for somebody outside
			peer = InitName
		}
		return link{name, peer, daemon}, peer == InitName, errors.Join(errName, errPeer)
	}
	return w, false, nil
}

// through takes an end of a link over and returns another, with the world in between.
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

// granted takes the one descriptor out of a control message, if there is one.
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
