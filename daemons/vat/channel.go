package vat

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"capnproto.org/go/capnp/v3"

	"nexus/capnpgen/endowment"
)

// maxPacket is the largest packet on an endowment channel, in bytes (schema/endowment.capnp).
const maxPacket = 4096

// A grant is one packet of an endowment channel, decoded.
type grant struct {
	Kind   endowment.Endowment_Kind
	Name   string
	Peer   string
	Grants []string
	Link   uint64   // initd's number of the link; 0 if this is not a link
	Onward string   // the process it is meant for, if not the daemon itself
	File   *os.File // nil for packets without a descriptor

	Connection string // as in Client
	GivenUp    []string
}

// serves returns the grant of a socket on which to serve a facet to a client.
func serves(facet string, client Client, link uint64, socket *os.File) grant {
	return grant{
		Kind: endowment.Endowment_Kind_serve, Name: facet, Peer: client.Name, Grants: client.Grants, Link: link,
		Connection: client.Connection, GivenUp: client.GivenUp, File: socket,
	}
}

// client returns the client that a grant names.
func (e grant) client() Client {
	return Client{Name: e.Peer, Grants: e.Grants, Connection: e.Connection, GivenUp: e.GivenUp}
}

// ChannelOf turns one end of an endowment channel into a connection. It takes ownership of f.
func ChannelOf(f *os.File) (*net.UnixConn, error) {
	conn, err := socketOf(f)
	if err != nil {
		return nil, err
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, errors.New("cannot open endowment channel: not a unix socket")
	}
	return unix, nil
}

// socketOf turns f into a connection. It takes ownership of f and fails if f is nil.
func socketOf(f *os.File) (net.Conn, error) {
	if f == nil {
		return nil, errors.New("cannot open socket: no descriptor")
	}
	defer f.Close()
	return net.FileConn(f)
}

// Socket makes a connection from f. The caller keeps f and closes it.
func Socket(f *os.File) (net.Conn, error) { return net.FileConn(f) }

// rootOf opens the directory behind a descriptor as a root.
func rootOf(dir *os.File) (*os.Root, error) {
	return os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
}

// packet encodes e, without its descriptor. It fails if the packet exceeds maxPacket.
func (e grant) packet() ([]byte, error) {
	msg, seg := capnp.NewSingleSegmentMessage(nil)
	defer msg.Release()
	m, err := endowment.NewRootEndowment(seg)
	if err != nil {
		return nil, err
	}
	m.SetKind(e.Kind)
	m.SetLink(e.Link)
	if err := errors.Join(m.SetName(e.Name), m.SetPeer(e.Peer), m.SetOnward(e.Onward),
		m.SetConnection(e.Connection), SetTexts(m.NewGrants, e.Grants), SetTexts(m.NewGivenUp, e.GivenUp)); err != nil {
		return nil, err
	}
	packet, err := msg.Marshal()
	if err != nil {
		return nil, err
	}
	if len(packet) > maxPacket {
		return nil, fmt.Errorf("cannot grant %s: packet of %d bytes exceeds %d", e.Name, len(packet), maxPacket)
	}
	return packet, nil
}

// receiveEndowment reads the next packet. An error means that the channel has ended.
func receiveEndowment(channel *net.UnixConn) (grant, error) {
	packet, file, err := receivePacket(channel)
	if err != nil {
		return grant{}, err
	}
	e, err := parseEndowment(packet)
	if err != nil {
		if file != nil {
			file.Close()
		}
		return grant{}, err
	}
	e.File = file
	return e, nil
}

func receivePacket(channel *net.UnixConn) ([]byte, *os.File, error) {
	packet := make([]byte, maxPacket)
	rights := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := channel.ReadMsgUnix(packet, rights)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		return nil, nil, net.ErrClosed
	}
	file, err := fileOf(rights[:oobn])
	return packet[:n], file, err
}

// fileOf takes the descriptor out of a control message. It returns nil if there is none.
func fileOf(rights []byte) (*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "granted"), nil
}

func parseEndowment(packet []byte) (grant, error) {
	msg, err := capnp.Unmarshal(packet)
	if err != nil {
		return grant{}, err
	}
	m, err := endowment.ReadRootEndowment(msg)
	if err != nil {
		return grant{}, err
	}
	name, err := m.Name()
	if err != nil {
		return grant{}, err
	}
	peer, err := m.Peer()
	if err != nil {
		return grant{}, err
	}
	list, err := m.Grants()
	if err != nil {
		return grant{}, err
	}
	grants, err := Texts(list)
	if err != nil {
		return grant{}, err
	}
	onward, err := m.Onward()
	if err != nil {
		return grant{}, err
	}
	e := grant{Kind: m.Kind(), Name: name, Peer: peer, Grants: grants, Link: m.Link(), Onward: onward}
	return e, e.readOrigin(m)
}

// Texts copies a list of texts out of a message.
func Texts(list capnp.TextList) ([]string, error) {
	var out []string
	for i := range list.Len() {
		text, err := list.At(i)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// SetTexts fills a new list of texts; make is the generated method that creates it.
func SetTexts(make func(int32) (capnp.TextList, error), texts []string) error {
	list, err := make(int32(len(texts)))
	if err != nil {
		return err
	}
	for i, text := range texts {
		if err := list.Set(i, text); err != nil {
			return err
		}
	}
	return nil
}

// Give answers a call with one capability, which it takes over: alloc and set are those of the results.
func Give[R any, C ~capnp.ClientKind](alloc func() (R, error), set func(R, C) error, give C) error {
	res, err := alloc()
	if err != nil {
		capnp.Client(give).Release()
		return err
	}
	return set(res, give)
}

// readOrigin reads where a client from outside comes from.
func (e *grant) readOrigin(m endowment.Endowment) (err error) {
	if e.Connection, err = m.Connection(); err != nil {
		return err
	}
	list, err := m.GivenUp()
	if err == nil {
		e.GivenUp, err = Texts(list)
	}
	return err
}
