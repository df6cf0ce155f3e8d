package initd

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/libupdates/bootctl"
	"nexus/libupdates/health"
	"nexus/libupdates/nxs"
	"nexus/libupdates/trust"
)

// A Config says how to run one system. It comes from the flags of `nx up` or from the guest's command line.
type Config struct {
	Dir   string   // the system's folder
	Trust []string // public keys to trust, as files or texts, with `apps=` before those for apps; kept in the folder
	// folder of durable state; empty: the one in Dir, or without one the boot record is kept in memory
	State   string
	Powers  string        // policy file that says which powers bundles get, kept in the folder; empty: the one there
	Factory string        // the set that fills slot a at the first start; empty: none
	Limits  nxs.Limits    // policy on sizes, in bytes
	Policy  health.Policy // patience with a new slot
	Shares  []Share       // sockets beside the control socket, each for a role
	Remote  Remote        // operators who come in over the network
	// how sets are fetched from registries
	Registry Registry
	// policy on the version floors that sets ask for: signed, always or never; empty: signed
	Floor    string
	Cause    bootctl.Cause // why this boot began, as far as the machine knows
	Watchdog time.Duration // time without progress after which the machine is reset; 0: never
	// test whether the watchdog resets the machine, unless that is known
	TryWatchdog bool
	// physical address of a memory page that the machine's kernel does not use; 0: none
	Mark         uint64
	Port         string         // virtio-serial port for operators, besides the control socket; empty: none
	SelftestSets string         // folder of demo sets; not empty: run the selftest and stop with its outcome
	Handed       machine.Handed // what the previous core handed over; the zero value: there was none

	name       string                          // argv[0] of the first process
	args       []string                        // the command line, for the next core
	machine    *machine.Machine                // nil on a host
	turnOf     func(pid int) (plat.Turn, bool) // scheduling state of a process; nil: unknown
	hindrances []plat.Hindrance                // what keeps services from starting on this machine
	users      uint32                          // the first user id for bundles
	groups     string                          // where execd makes control groups for bundles; empty: none
	reach      *reach                          // what execd may connect to; nil: it is not a process
}

// parseArgs reads a command line.
func parseArgs(args []string, stderr io.Writer) (Config, error) {
	args, handed := machine.OwnArgs(args)
	c := Config{Limits: nxs.DefaultLimits(), Policy: health.DefaultPolicy(), name: initName, args: args}
	set := flag.NewFlagSet(initName, flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&c.Dir, "dir", "", "the system's `folder`")
	set.Func("trust", "public `key` allowed for the role system, or with apps= before it for apps; may be repeated", func(v string) error {
		c.Trust = append(c.Trust, v)
		return nil
	})
	set.StringVar(&c.State, "state", "",
		"`folder` of durable state, made where it is missing; by default `state` in the system's, where it is there")
	set.StringVar(&c.Powers, "policy", "", "policy `file` that says which powers bundles get, kept in the folder")
	tries := c.setFlags(set)
	set.Func("share", "`ROLE=PATH`: a socket for those who may have that role and no more; may be given more than once",
		func(v string) error {
			share, err := parseShare(v)
			c.Shares = append(c.Shares, share)
			return err
		})
	set.StringVar(&c.Remote.Listen, "listen", "", "`address` and port to which operators connect over the network")
	set.Func("operator", "`KEY=ROLE[,until=TIME]`: a key by which an operator comes in over the network; may be repeated",
		func(v string) error { return c.Remote.add(v) })
	c.Registry.flags(set)
	set.Func("floor", "version floor: as sets ask for it (`signed`), each set's own version (always), or none (never)",
		func(v string) error {
			c.Floor = v
			return checkFloor(v)
		})
	c.machineFlags(set)
	set.StringVar(&c.SelftestSets, "selftest", "", "run the selftest with the sets in this `folder` and stop")
	if err := set.Parse(args); err != nil {
		return Config{}, err
	}
	c.Policy.Tries = uint8(min(*tries, 255))
	if err := c.check(set.Args()); err != nil || handed == "" {
		return c, err
	}
	var err error
	c.Handed, err = machine.ParseHanded(handed)
	return c, err
}

// setFlags are those about sets and their trials.
func (c *Config) setFlags(set *flag.FlagSet) (tries *uint) {
	set.StringVar(&c.Factory, "factory", "", "system set that fills slot a at the first start")
	set.Int64Var(&c.Limits.Archive, "limit-archive", c.Limits.Archive, "largest archive in `bytes`")
	set.Int64Var(&c.Limits.Payload, "limit-payload", c.Limits.Payload, "largest payload in `bytes`")
	set.DurationVar(&c.Policy.SettleTime, "settle", c.Policy.SettleTime, "how long a plain service must run")
	set.DurationVar(&c.Policy.Deadline, "health-deadline", c.Policy.Deadline, "how long an attempt may take")
	set.DurationVar(&c.Policy.Watch, "watch", c.Policy.Watch,
		"how long a confirmed set stays under watch; 0: not at all")
	set.DurationVar(&c.Policy.Hang, "hang", c.Policy.Hang, "how long a daemon may not answer; 0: for ever")
	return set.Uint("tries", uint(c.Policy.Tries), "boot attempts a new slot gets")
}

// machineFlags are those that only a machine of its own has a use for.
func (c *Config) machineFlags(set *flag.FlagSet) {
	set.DurationVar(&c.Watchdog, "watchdog", defaultWatchdog,
		"in a machine: how long the system may make no progress until the machine is restarted; 0: for ever")
	set.BoolVar(&c.TryWatchdog, "try-watchdog", false,
		"in a machine with a state disk: find out, once, whether the watchdog restarts it, by a reboot")
	set.Uint64Var(&c.Mark, "mark", 0,
		"in a machine: physical `address` of a page that its kernel does not use, for a mark of how a boot ended")
}

// program says how to start this process again, or another core in its place.
func (c Config) program() machine.Program {
	return machine.Program{Name: c.name, Args: c.args, Links: filepath.Join(c.Dir, runDir), Image: c.Handed.Image}
}

// keysGiven reports whether the command line has a key for sets of the system.
func (c Config) keysGiven() bool {
	return slices.ContainsFunc(c.Trust, func(source string) bool {
		role, _, _ := trust.ReadTrusted(source) // a source that cannot be read is refused where it is kept
		return role == trust.RoleSystem
	})
}

// state returns the folder of durable state: the one in the flags, or the one in the system's folder; empty: none. A
// system that has state once keeps it, whether or not the flag is repeated.
func (c Config) state() string {
	if c.State != "" {
		return c.State
	}
	own := filepath.Join(c.Dir, stateDir) // even a dangling link says that there was state
	if _, err := os.Lstat(own); errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return own
}

// dirs returns the directories of the table's rows, by name.
func (c Config) dirs() map[string]string {
	dirs := map[string]string{"system": filepath.Join(c.Dir, "system"), "trust": filepath.Join(c.Dir, "trust"),
		rootsDir: filepath.Join(c.Dir, rootsDir)}
	if c.SelftestSets != "" {
		dirs["sets"] = c.SelftestSets
	}
	if state := c.state(); state != "" {
		dirs["state"] = state
	}
	if view := c.stateView(); view != "" {
		dirs[bundlesDir] = view
	}
	dirs[treesDir] = filepath.Join(c.Dir, treesDir)
	if c.groups != "" {
		dirs[groupsDir] = c.groups
	}
	return dirs
}

// stateView is where programs find their state: where it is mounted, or kept; empty: there is none.
func (c Config) stateView() string {
	if c.state() == "" {
		return ""
	}
	return c.view(bundlesDir, "")
}

// view is where programs find a folder of the system's: where it is mounted, under that name, or where it is.
func (c Config) view(folder, mounted string) string {
	switch path, err := filepath.Abs(c.Dir); {
	case err != nil:
		return ""
	case plat.CanMount():
		return filepath.Join(viewRoot, fmt.Sprintf("%x", sha256.Sum256([]byte(path)))[:16], mounted)
	default:
		return filepath.Join(path, folder)
	}
}

// viewRoot is where what programs of all systems of this machine see is mounted. Programs get there whoever owns the
// system's folder.
const viewRoot = "/run/nexus"

// roles returns the roles that have a socket: the operator's, and the shared ones.
func (c Config) roles() []Role {
	return slices.DeleteFunc(Roles(), func(r Role) bool {
		return r.Name != operatorRole && !slices.ContainsFunc(c.Shares, func(s Share) bool { return s.Role == r.Name })
	})
}

func checkFloor(policy string) error {
	switch policy {
	case floorSigned, "always", "never":
		return nil
	}
	return fmt.Errorf("%q is not signed, always or never", policy)
}

// Bounds of the watchdog's timeout. The devices count seconds, some only up to 2046.
const (
	defaultWatchdog = time.Minute
	minWatchdog     = 2 * time.Second
	maxWatchdog     = 30 * time.Minute
)

// floorSigned is the default policy on version floors.
const floorSigned = "signed"

func (c Config) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("cannot start: unexpected argument %q", rest[0])
	case c.Dir == "":
		return fmt.Errorf("cannot start: --dir is missing")
	case c.Limits.Archive < 1 || c.Limits.Archive > nxs.MaxPolicy || c.Limits.Payload < 1 ||
		c.Limits.Payload > nxs.MaxPolicy:
		return fmt.Errorf("cannot start: a limit must be 1 byte to 16 GiB")
	case c.Watchdog != 0 && (c.Watchdog < minWatchdog || c.Watchdog > maxWatchdog):
		return fmt.Errorf("cannot start: the watchdog's time must be 0, or 2s to 30m")
	}
	if err := errors.Join(c.Remote.check(), c.Registry.check()); err != nil {
		return err
	}
	return c.Policy.Check()
}
