package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"nexus/capnpgen/operator"
	"nexus/daemons/pinned"
	"nexus/daemons/vat/guard"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// remoteFlags reach a system over the network.
type remoteFlags struct {
	To        string `placeholder:"HOST:PORT" help:"Reach a system over the network, where it listens with nx up --listen (NX_TO)."`
	Key       string `placeholder:"KEY" help:"With --to: the operator's private key: a file (keygen's, OpenSSH, PKCS#8), or agent: for ssh-agent (NX_KEY)."`
	DeviceKey string `placeholder:"PUB" help:"With --to: the device's public key, as text or as a file: its device.pub (NX_DEVICE_KEY)."`
}

// elsewhere returns how to reach a system over the network: the flags, or the environment unless a folder or a socket
// is named.
func (in *invocation) elsewhere(g grammar) (remoteFlags, error) {
	r := g.remoteFlags
	if r.To == "" && g.Dir == "" && g.Socket == "" {
		r.To = in.host.Getenv("NX_TO")
	}
	if r.To == "" {
		if r.Key != "" || r.DeviceKey != "" {
			return r, wrongUsage("--key and --device-key are for --to, which is missing")
		}
		return r, nil
	}
	if g.Dir != "" || g.Socket != "" {
		return r, wrongUsage("--to, --socket and --dir name different systems")
	}
	if r.Key == "" {
		r.Key = in.host.Getenv("NX_KEY")
	}
	if r.DeviceKey == "" {
		r.DeviceKey = in.host.Getenv("NX_DEVICE_KEY")
	}
	if r.Key == "" || r.DeviceKey == "" {
		return r, wrongUsage("--to wants --key, with which the device knows you, and --device-key, by which you know it")
	}
	if host, port, err := net.SplitHostPort(r.To); err != nil || host == "" || port == "" {
		return r, wrongUsage("--to %s is not HOST:PORT", r.To)
	}
	return r, nil
}

// dialElsewhere connects to a system over the network.
func (t *target) dialElsewhere(ctx context.Context) (guard.Stream, func() error, error) {
	own, err := trust.LoadSigner(t.remote.Key, trust.NoPassphrase)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use key %s: %w", trust.Shown(t.remote.Key), err)
	}
	device, err := trust.ReadPublicKey(t.remote.DeviceKey)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use device key %s: %w", trust.Shown(t.remote.DeviceKey), err)
	}
	conn, err := pinned.Dial(ctx, t.remote.To, own, device)
	var network net.Error
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case errors.Is(err, pinned.ErrKey):
		return nil, nil, refusal.New(refusal.WrongDevice, "another device answers than the one with the key %s", device)
	case errors.As(err, &network):
		return nil, nil, refusal.New(refusal.NotRunning, "nobody answers there: %v", network)
	case err != nil:
		return nil, nil, err
	}
	return conn, func() error {
		if errors.Is(conn.Refused(), pinned.ErrRefused) {
			return refusal.New(refusal.KeyRefused,
				"the device does not take the key %s: it does not know it, or it was revoked, or its time is over",
				own.Public())
		}
		return nil
	}, nil
}

// operatorsVerb is about the keys by which operators come in over the network.
type operatorsVerb struct {
	List   operatorsListVerb   `cmd:"" default:"1" help:"Show the keys by which operators come in over the network."`
	Revoke operatorsRevokeVerb `cmd:"" help:"Let nobody in by a key any more, and end the connections that it has."`
}

// An operatorKey is one of these keys.
type operatorKey struct {
	Key         string `json:"publicKey"`
	Role        string `json:"role"`
	UntilUnixMs uint64 `json:"untilUnixMs,omitempty"` // absent if never
	Revoked     bool   `json:"revoked"`
	Connections uint32 `json:"connections"`
}

// operatorsListVerb shows the keys.
type operatorsListVerb struct{}

// Run asks for the keys and shows them.
func (*operatorsListVerb) Run(ctx context.Context, in *invocation) error {
	return show(ctx, in, "show operators", "", operatorKeys, printOperators)
}

func printOperators(w io.Writer, keys []operatorKey) {
	if len(keys) == 0 {
		fmt.Fprintln(w, "no operator comes in over the network")
		return
	}
	rows := [][]string{{"KEY", "ROLE", "UNTIL", "CONNECTED"}}
	for _, k := range keys {
		rows = append(rows, []string{k.Key, clean(k.Role), k.until(), fmt.Sprint(k.Connections)})
	}
	table(w, rows)
}

func (k operatorKey) until() string {
	switch {
	case k.Revoked:
		return "revoked"
	case k.UntilUnixMs == 0:
		return "-"
	}
	return day(k.UntilUnixMs)
}

func operatorKeys(ctx context.Context, f *facets) ([]operatorKey, error) {
	authority, done := f.authority(ctx)
	defer done()
	answer, release := authority.Operators(ctx, nil)
	defer release()
	res, err := answer.Struct()
	if err != nil {
		return nil, err
	}
	list, err := res.Operators()
	if err != nil {
		return nil, err
	}
	keys := []operatorKey{}
	for i := range list.Len() {
		k, err := operatorKeyOf(list.At(i))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func operatorKeyOf(m operator.RemoteOperator) (operatorKey, error) {
	key, err := m.Key()
	if err != nil {
		return operatorKey{}, err
	}
	role, err := m.Role()
	return operatorKey{fmt.Sprintf("%x", key), role, m.UntilUnixMs(), m.Revoked(), m.Connections()}, err
}

// operatorsRevokeVerb revokes a key.
type operatorsRevokeVerb struct {
	Key string `arg:"" placeholder:"PUB" help:"The operator's public key, as text or as a file."`
}

// Run revokes the key until the system stops.
func (v *operatorsRevokeVerb) Run(ctx context.Context, in *invocation) error {
	key, err := trust.ReadPublicKey(v.Key)
	if err != nil {
		return cannot("revoke", trust.Shown(v.Key), err)
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	return in.with(ctx, func(s *session) error {
		client := "key:" + key.String()
		if err := revokeEdge(ctx, &s.facets, client, "Operator"); err != nil {
			return cannot("revoke", key.String(), err)
		}
		return in.answer(revoked{client, "Operator"}, func(w io.Writer) {
			fmt.Fprintf(w, "revoked: nobody comes in by %s until the system stops\n", key)
			fmt.Fprintln(w, "next: start the system without its --operator from now on")
		})
	})
}
