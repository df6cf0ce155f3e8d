package initd

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/durable"
)

// A Share is a further socket, for clients that may do less than an operator.
type Share struct {
	Role string // one of Roles
	Path string // path of the socket, mode 0660: whoever may write to it has the role
}

// parseShare reads `ROLE=PATH`.
func parseShare(text string) (Share, error) {
	role, path, found := strings.Cut(text, "=")
	if _, known := RoleOf(role); !found || !known || path == "" {
		var names []string
		for _, r := range Roles() {
			names = append(names, r.Name)
		}
		return Share{}, fmt.Errorf("%q is not ROLE=PATH with a role of %s", text, strings.Join(names, ", "))
	}
	return Share{Role: role, Path: path}, nil
}

// open listens on the socket. It replaces a socket that a killed system left. A socket that is being served, or any
// other file, is not touched.
func (s Share) open() (*controlSocket, error) {
	if err := s.clear(); err != nil {
		return nil, fmt.Errorf("cannot share %s at %s: %w", s.Role, s.Path, err)
	}
	listener, err := plat.ListenShared(s.Path)
	if err != nil {
		return nil, fmt.Errorf("cannot share %s: %w", s.Role, err)
	}
	role, _ := RoleOf(s.Role)
	return newControlSocket(listener, s.Path, role), nil
}

func (s Share) clear() error {
	info, err := os.Lstat(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there: move it away", durable.KindName(info.Mode()))
	}
	switch conn, err := plat.DialPath(s.Path); {
	case err == nil:
		conn.Close()
		return errors.New("somebody serves it already")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return err
	}
	return os.Remove(s.Path)
}

// openSockets opens the control socket in the folder and the shared sockets, or takes over those of the previous core.
// If one fails, all are closed.
func openSockets(f *folder, shares []Share, handed *machine.Handed) (sockets []*controlSocket, err error) {
	ways := []way{{Share{operatorRole, f.at(controlFile)}, func() (*controlSocket, error) { return listen(f) }}}
	for _, share := range shares {
		ways = append(ways, way{share, func() (*controlSocket, error) { return f.share(share) }})
	}
	for i, w := range ways {
		socket, err := w.enter(handed.Take(fmt.Sprint(machine.HandedSocket, i)))
		if err != nil {
			removeSockets(sockets)
			return nil, err
		}
		sockets = append(sockets, socket)
	}
	return sockets, nil
}

// share opens a shared socket. In the system's own folder anything else of that name is set aside, and no link is
// followed.
func (f *folder) share(s Share) (*controlSocket, error) {
	if way, below := inside(f.path, s.Path); below {
		parent, _, err := f.parent(way)
		if err != nil {
			return nil, fmt.Errorf("cannot share %s at %s: %w", s.Role, s.Path, err)
		}
		defer parent.Close()
		if err := f.makeWay(way, fs.ModeSocket); err != nil {
			return nil, err
		}
	}
	return s.open()
}

// A way is a socket, and how to open it if the previous core did not hand it over.
type way struct {
	Share
	open func() (*controlSocket, error)
}

func (w way) enter(left *os.File) (*controlSocket, error) {
	if left == nil {
		return w.open()
	}
	defer left.Close()
	listener, err := net.FileListener(left)
	if err != nil {
		return nil, fmt.Errorf("cannot take over %s: %w", w.Path, err)
	}
	role, _ := RoleOf(w.Role)
	return newControlSocket(listener, w.Path, role), nil
}

// hangUp closes all connections: their capabilities belong to a core that has ended.
func hangUp(sockets []*controlSocket) {
	for _, c := range sockets {
		c.hangUp()
	}
}

func removeSockets(sockets []*controlSocket) {
	for _, c := range sockets {
		c.remove()
	}
}
