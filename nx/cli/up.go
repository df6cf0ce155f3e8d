package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"nexus/daemons/pinned"
	"nexus/libupdates/health"
	"nexus/libupdates/nxs"
	"nexus/libupdates/policy"
	"nexus/libupdates/refusal"
	"nexus/libupdates/trust"
)

// upVerb runs a system on this host.
type upVerb struct {
	Trust          []string      `placeholder:"PUB" help:"Public key to allow for system sets, or with apps= before it for apps, as a file (keygen's, OpenSSH, PEM or DER) or as text; kept in the folder. Repeatable."`
	State          string        `placeholder:"DIR" help:"Folder of durable state, made where it is missing (default: state in the system's folder, where it is there)."`
	Policy         string        `placeholder:"FILE" help:"Policy that says which powers bundles get; kept in the folder."`
	Factory        string        `placeholder:"FILE" help:"System set that fills slot a at the first start."`
	LimitArchive   nxs.Size      `placeholder:"SIZE" default:"100MiB" help:"Largest system set to accept (default: 100MiB, at most 16GiB)."`
	LimitPayload   nxs.Size      `placeholder:"SIZE" default:"50MiB" help:"Largest payload to accept (default: 50MiB, at most 16GiB)."`
	Tries          uint8         `placeholder:"N" default:"2" help:"Boot attempts a new slot gets, 1 to 16 (default: 2)."`
	Floor          string        `placeholder:"POLICY" default:"signed" enum:"signed,always,never" help:"Version floor: signed, as sets ask for it; always, the version of each set that is confirmed for good; never (default: signed)."`
	Settle         time.Duration `placeholder:"DUR" default:"1s" help:"How long a plain service must run to count as healthy (default: 1s)."`
	HealthDeadline time.Duration `placeholder:"DUR" default:"30s" help:"How long an attempt may take to prove healthy (default: 30s)."`
	Watch          time.Duration `placeholder:"DUR" default:"1m" help:"How long a set that was just confirmed stays under watch, 0 for not at all (default: 1m)."`
	Hang           time.Duration `placeholder:"DUR" default:"10s" help:"How long a daemon may go without a heartbeat before it is killed and restarted, 0 for ever (default: 10s)."`
	Share          []string      `placeholder:"ROLE=PATH" sep:"none" help:"Socket for those who may have that role and no more: status (look), stage (look and stage), apps (look, install and uninstall apps; apps:web.* only these) or operator. Mode 0660. Repeatable."`
	Listen         string        `placeholder:"ADDR:PORT" help:"Let operators in over the network, by TLS and by the keys of --operator. The device's own key is made at the first start: device.pub in the folder."`
	Operator       []string      `placeholder:"KEY=ROLE" sep:"none" help:"Public key of an operator who comes in by --listen, as a file or as text, and its role: status, stage, apps or operator; then, if need be, a limit: KEY=ROLE,until=2027-01-31. Repeatable."`
	registryFlags
	Selftest string `placeholder:"SETSDIR" help:"Run the selftest with the sets in this folder and stop with its outcome."`
}

// Run checks the arguments and becomes initd; it returns only if that fails.
func (v *upVerb) Run(_ context.Context, in *invocation) error {
	if in.socket != "" {
		return wrongUsage("--socket and NX_SOCKET are for a system that runs already")
	}
	if in.remote.To != "" {
		return wrongUsage("--to and NX_TO are for a system that runs already")
	}
	if err := v.check(); err != nil {
		return err
	}
	binary, err := in.binary()
	if err != nil {
		return cannot("start", in.dir, err)
	}
	// The system uses nothing from the environment, so it gets none.
	return cannot("start", in.dir, in.host.Exec(binary, v.argv(in.dir), []string{}))
}

// check refuses what the system would refuse, before anything starts.
func (v *upVerb) check() error {
	patience := health.Policy{SettleTime: v.Settle, Deadline: v.HealthDeadline, Tries: v.Tries, Watch: v.Watch,
		Hang: v.Hang}
	if err := patience.Check(); err != nil {
		return wrongUsage("%v", err)
	}
	for _, source := range v.Trust {
		if _, _, err := trust.ReadTrusted(source); err != nil {
			return cannot("trust", trust.Shown(source), err)
		}
	}
	for i, text := range v.Operator {
		o, err := pinned.ParseOperator(text)
		if err != nil {
			return wrongUsage("--operator: %v", err)
		}
		v.Operator[i] = o.String() // with the key itself, which another core must find as well
	}
	if v.Policy != "" {
		text, err := readPolicyFile(v.Policy)
		if err == nil {
			_, err = policy.Parse([]byte(text))
		}
		if err != nil {
			return cannot("use policy", v.Policy, plain(err))
		}
	}
	if v.Factory != "" {
		if _, err := regular(v.Factory); err != nil {
			return cannot("use factory set", v.Factory, err)
		}
	}
	if err := v.registryFlags.check(); err != nil {
		return err
	}
	if v.Selftest != "" {
		if info, err := os.Stat(v.Selftest); err != nil {
			return cannot("use sets in", v.Selftest, plain(err))
		} else if !info.IsDir() {
			return cannot("use sets in", v.Selftest, refusal.New(refusal.NotADirectory, "it is not a folder"))
		}
	}
	return nil
}

// argv returns initd's command line.
func (v *upVerb) argv(dir string) []string {
	argv := []string{"initd", "--dir", dir}
	for _, source := range v.Trust {
		argv = append(argv, "--trust", source)
	}
	if v.State != "" {
		argv = append(argv, "--state", v.State)
	}
	if v.Policy != "" {
		argv = append(argv, "--policy", v.Policy)
	}
	if v.Factory != "" {
		argv = append(argv, "--factory", v.Factory)
	}
	argv = append(argv,
		"--limit-archive", strconv.FormatInt(int64(v.LimitArchive), 10),
		"--limit-payload", strconv.FormatInt(int64(v.LimitPayload), 10),
		"--tries", strconv.Itoa(int(v.Tries)),
		"--floor", v.Floor,
		"--settle", v.Settle.String(),
		"--health-deadline", v.HealthDeadline.String(),
		"--watch", v.Watch.String(),
		"--hang", v.Hang.String())
	for _, share := range v.Share {
		argv = append(argv, "--share", share)
	}
	if v.Listen != "" {
		argv = append(argv, "--listen", v.Listen)
	}
	for _, o := range v.Operator {
		argv = append(argv, "--operator", o)
	}
	argv = append(argv, v.registryFlags.argv()...)
	if v.Selftest != "" {
		argv = append(argv, "--selftest", v.Selftest)
	}
	return argv
}

// binary returns the path of the daemons' binary, which is in the same folder as nx.
func (in *invocation) binary() (string, error) {
	own, err := in.host.Executable()
	if err != nil {
		return "", err
	}
	if own, err = filepath.EvalSymlinks(own); err != nil {
		return "", plain(err)
	}
	binary := filepath.Join(filepath.Dir(own), "nexus")
	if _, err := regular(binary); err != nil {
		return "", fmt.Errorf("cannot use %s, which must lie beside nx: %w", binary, err)
	}
	return binary, nil
}

// regular returns information about a regular file, and an error for any other.
func regular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	return info, nil
}

// plain removes the operation and the path from an error of package os, because the message names the file already.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
