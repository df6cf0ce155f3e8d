package initd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"nexus/daemons/initd/machine"
	"nexus/daemons/pinned"
	"nexus/daemons/plat"
	"nexus/libupdates/durable"
	"nexus/libupdates/trust"
)

const (
	remoteName    = "remoted"
	gateFacet     = "OperatorGate"
	listenerFile  = "listener"
	deviceKeyFile = "device-key"

	// keyMark begins the name that a key has as a client.
	keyMark = "key:"
	// maxRemote bounds the keys (schema/operator.capnp: they are a list of 64; remoted's setting is one packet).
	maxRemote = 48
)

// The device's own key in the system's folder, and the public one for operators to take away.
const (
	deviceKey    = "device.key"
	devicePublic = "device.pub"
)

// Remote is how operators come in over the network.
type Remote struct {
	Listen    string // address and port; empty: they do not
	Operators []pinned.Operator
}

func (r Remote) on() bool { return r.Listen != "" }

// add reads one operator.
func (r *Remote) add(text string) error {
	o, err := pinned.ParseOperator(text)
	if err == nil {
		r.Operators = append(r.Operators, o)
	}
	return err
}

func (r Remote) check() error {
	if !r.on() && len(r.Operators) > 0 {
		return errors.New("cannot start: --operator is for those who come in by --listen, which is missing")
	}
	if r.on() && len(r.Operators) == 0 {
		return errors.New("cannot start: --listen without an --operator would let nobody in")
	}
	if len(r.Operators) > maxRemote {
		return fmt.Errorf("cannot start: %d operators are over the limit of %d", len(r.Operators), maxRemote)
	}
	seen := map[trust.PublicKey]bool{}
	for _, o := range r.Operators {
		if _, known := RoleOf(o.Role); !known {
			return fmt.Errorf("cannot start: %q is not a role", o.Role)
		}
		if seen[o.Key] {
			return fmt.Errorf("cannot start: the key %s is given to two operators", o.Key)
		}
		seen[o.Key] = true
	}
	if !r.on() {
		return nil
	}
	if host, _, err := net.SplitHostPort(r.Listen); err != nil || host == "" {
		return fmt.Errorf("cannot start: %q is not ADDR:PORT", r.Listen)
	}
	return nil
}

// keys are the keys as remoted reads them.
func (r Remote) keys() string {
	var all []string
	for _, o := range r.Operators {
		all = append(all, o.Key.String())
	}
	return strings.Join(all, " ")
}

// sockets are the ways in of the keys: each has places of its own, and a budget where its role has one.
func (r Remote) sockets() []*controlSocket {
	var all []*controlSocket
	for i, o := range r.Operators {
		role, _ := RoleOf(o.Role)
		socket := newControlSocket(nil, "", role)
		socket.who, socket.remote = keyMark+o.Key.String(), &r.Operators[i]
		all = append(all, socket)
	}
	return all
}

// isWayIn reports whether a client is somebody outside: a role, or a key.
func isWayIn(client string) bool {
	_, isRole := RoleOf(client)
	return isRole || strings.HasPrefix(client, keyMark)
}

// clients are those outside who may come in: the roles, and the keys as roles of their own.
func (c Config) clients() []Role {
	all := c.roles()
	for _, o := range c.Remote.Operators {
		role, _ := RoleOf(o.Role)
		role.Name = keyMark + o.Key.String()
		all = append(all, role)
	}
	return all
}

// openRemote opens what remoted needs: the listening socket, unless the core before has left it, and the device's key.
func (r *resources) openRemote(config *Config, f *folder) (err error) {
	if r.files[listenerFile] = config.Handed.Take(machine.HandedRemote); r.files[listenerFile] == nil {
		if r.files[listenerFile], err = listenAt(config.Remote.Listen); err != nil {
			return err
		}
	}
	r.files[deviceKeyFile], r.device, err = f.deviceKey()
	return err
}

// listenAt listens on an address. Multipath TCP is not used: nothing that confines programs would see it.
func listenAt(address string) (*os.File, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	defer listener.Close()
	return listener.(*net.TCPListener).File()
}

// deviceKey returns the device's key, in memory: remoted has no file of the folder open. It is made at the first time.
func (f *folder) deviceKey() (memory *os.File, public trust.PublicKey, err error) {
	text, err := f.readDeviceKey()
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(trust.SeedText(trust.NewSeed()) + "\n")
		err = durable.WriteFile(f.files, deviceKey, text)
	}
	var own trust.Signer
	if err == nil {
		own, err = trust.ParseSigner(text)
	}
	if err != nil {
		return nil, public, cannotUse(f.at(deviceKey), plainly(err),
			"put the device's key back, or move this away for a new one")
	}
	public = own.Public()
	if err = f.makeWay(devicePublic, 0); err == nil {
		err = f.keepBytes(devicePublic, []byte(public.Text()+"\n"))
	}
	if err == nil {
		memory, err = plat.Memory(deviceKeyFile)
	}
	if err == nil {
		_, err = memory.Write(text)
	}
	return memory, public, err
}

// readDeviceKey reads the file of the device's key, which may be anything.
func (f *folder) readDeviceKey() ([]byte, error) { return f.read(deviceKey, maxDeviceKey) }

// maxDeviceKey is more than the text of a key has.
const maxDeviceKey = 4096

// announceRemote says where operators connect and which key the device has.
func (s *system) announceRemote() {
	if !s.config.Remote.on() {
		return
	}
	address := s.config.Remote.Listen
	if listener, err := net.FileListener(s.resources.files[listenerFile]); err == nil {
		address = listener.Addr().String()
		listener.Close()
	}
	s.log.Info("operators come in over the network", "address", address, "keys", len(s.config.Remote.Operators),
		"device", s.resources.device)
}
