package plat

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A kernel is what this machine can take measures with.
type kernel struct {
	Powers   powerSet
	Users    bool // those that daemons and payloads are given are there
	Landlock int
	Seccomp  bool
}

// look finds out what the machine and this process can.
func look() kernel {
	return kernel{Powers: ownPowers(), Users: mapsUsers(), Landlock: landlockABI(), Seccomp: seccompWorks()}
}

// canSetUser reports whether processes can be given users of their own, and be ended again.
func (k kernel) canSetUser() bool {
	return k.Users && k.Powers.has(PowerSetUser, PowerSetGrp, PowerSetCap, PowerKill)
}

// canBound reports whether capabilities can be taken for good from a process and what it executes.
func (k kernel) canBound() bool { return k.Powers.has(PowerSetCap) || boundedToNothing() }

// Measures tells which measures a confinement means on this machine. A measure that is on and then fails keeps the
// process from being started.
func (c Confinement) Measures() []Measure { return look().measures(c) }

func (k kernel) measures(c Confinement) []Measure {
	const notRoot = "needs root"
	take := func(name string, on bool, how, whyNot string) Measure {
		if on {
			return Measure{name, true, how}
		}
		return Measure{name, false, whyNot}
	}
	measures := []Measure{
		k.network(c),
		take(MeasureUser, k.ownUser(c), fmt.Sprintf("%d", c.User), k.withoutUser(c)),
		take(MeasureCapabilities, k.canBound(), powerNames(k.left(c)),
			"the bounding set "+notRoot+"; those in force are none"),
		take(MeasurePrivileges, true, "no new ones", ""),
		take(MeasurePaths, k.Landlock >= abiRefer, fmt.Sprintf("%s (Landlock %d)", ruleNames(c.Paths), k.Landlock),
			k.withoutLandlock(abiRefer)),
		take(MeasureSignals, k.Landlock >= abiScopes, "to what it starts", k.withoutLandlock(abiScopes)),
		take(MeasureCalls, k.Seccomp, string(c.Calls), "the kernel has no seccomp filters for this machine"),
		take(MeasureLimits, true, k.limits(c), ""),
	}
	if c.Groups.Name != "" {
		measures = append(measures, c.Groups)
	}
	return measures
}

func (k kernel) withoutUser(c Confinement) string {
	if c.User == 0 {
		return "it works in a folder of its starter's user"
	}
	if !k.Users {
		return "the user namespace lacks the users for it"
	}
	return "needs root, and users that a user namespace may lack"
}

// maxTasks bounds the processes and threads of one user. Each daemon is one of its own where it can be, and so is each
// payload, which has the limit from its starter; where they share their starter's user with all else that runs under it
// there is no such bound.
const maxTasks = 1024

func (k kernel) limits(c Confinement) string {
	switch {
	case c.Memory == 0:
		return "those of its starter"
	case k.ownUser(c):
		return fmt.Sprintf("%d MiB, %d descriptors, %d threads", c.Memory>>20, c.Files, maxTasks)
	default:
		return fmt.Sprintf("%d MiB, %d descriptors", c.Memory>>20, c.Files)
	}
}

// ownUser reports whether a process is a user of its own.
func (k kernel) ownUser(c Confinement) bool { return c.User != 0 && k.canSetUser() }

// ownNetwork reports whether a process gets a network namespace. One that cannot be root's starter passes on its own.
func (k kernel) ownNetwork(c Confinement) bool {
	return k.Powers.has(unix.CAP_SYS_ADMIN) && len(c.Connect) == 0
}

// network is the measure that keeps a process from the network.
func (k kernel) network(c Confinement) Measure {
	switch {
	case k.ownNetwork(c):
		return Measure{MeasureNetwork, true, "an empty namespace"}
	case len(c.Connect) > 0:
		return Measure{MeasureNetwork, true, "connects to " + listed(c.Connect) + " only"}
	default:
		return Measure{MeasureNetwork, false, k.withoutNetwork()}
	}
}

// canConnect tells why this machine cannot keep a process to the ports that it may connect to; empty: it can.
func (k kernel) canConnect() string {
	switch {
	case !k.Seccomp:
		return "this machine cannot keep a program to TCP: the kernel has no seccomp filters for it"
	case k.Landlock < abiNetwork:
		return "this machine cannot keep a program to its ports: " + k.withoutLandlock(abiNetwork)
	}
	return ""
}

// Unguided tells why this machine cannot keep a program to the ports that it may connect to; empty: it can.
func Unguided() string { return look().canConnect() }

func (k kernel) withoutNetwork() string {
	if k.Seccomp {
		return "needs root; its system calls make no sockets of any family"
	}
	return "needs root"
}

func (k kernel) withoutLandlock(need int) string {
	if k.Landlock == 0 {
		return "the kernel has no Landlock"
	}
	return fmt.Sprintf("the kernel has version %d of Landlock, and %d is needed", k.Landlock, need)
}

func powerNames(powers []Power) string {
	if len(powers) == 0 {
		return "none"
	}
	var names []string
	for _, p := range powers {
		names = append(names, p.String())
	}
	return strings.Join(names, " ")
}

func ruleNames(rules []PathRule) string {
	if len(rules) == 0 {
		return "none"
	}
	return listed(rules)
}

func listed[T fmt.Stringer](all []T) string {
	var names []string
	for _, one := range all {
		names = append(names, one.String())
	}
	return strings.Join(names, ", ")
}

// enter puts on the calling thread all that a program which it executes keeps. The order is from what needs power to
// what gives it up; the filter comes last, because it refuses what the others are made with. Asked is where the calls
// arrive that the starter answers; nil: there are none.
func (c Confinement) enter(k kernel) (asked *os.File, err error) {
	rules := c.callRules(uint32(os.Getpid()))
	if len(rules) == 0 {
		return nil, cannotConfine(MeasureCalls, fmt.Errorf("no set is named %q", c.Calls))
	}
	filter := compile(rules, refuse(unix.EPERM))
	steps := []struct {
		measure string
		on      bool
		put     func() error
	}{
		{MeasureNetwork, k.ownNetwork(c), func() error { return unix.Unshare(unix.CLONE_NEWNET) }},
		{MeasureCapabilities, k.canBound(), func() error { return boundThread(powersOf(k.left(c)...)) }},
		{MeasureUser, k.ownUser(c), func() error { return setThreadUser(c.User) }},
		{MeasureCapabilities, k.Powers != 0, func() error { return setThreadPowers(k.kept(c), k.passing()) }},
		{MeasurePrivileges, true, func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }},
		{MeasurePaths, k.Landlock >= abiRefer, func() error { return restrictThread(c, k.Landlock) }},
		{MeasureCalls, k.Seccomp && c.Calls != CallsBinder, filter.install},
		{MeasureCalls, k.Seccomp && c.Calls == CallsBinder, func() (err error) {
			asked, err = filter.installAsking()
			return err
		}},
	}
	for _, step := range steps {
		if !step.on {
			continue
		}
		if err := step.put(); err != nil {
			return nil, cannotConfine(step.measure, err)
		}
	}
	return asked, nil
}

// left are the powers that a confinement leaves to a process: they are for becoming other users, so where there are
// none they are not left.
func (k kernel) left(c Confinement) []Power {
	if !k.canSetUser() {
		return nil
	}
	return c.Powers
}

// kept are the powers that stay, as far as this process has them.
func (k kernel) kept(c Confinement) powerSet { return powersOf(k.left(c)...) & k.Powers }

// passing is what the stage needs until it has executed the program, and the program does not get: finding it, wherever
// its folder is.
func (k kernel) passing() powerSet { return powersOf(unix.CAP_DAC_READ_SEARCH) & k.Powers }

// limit puts limits on this process; what it starts has them too.
func (c Confinement) limit(k kernel) error {
	if c.SmallPages { // only saves memory: a kernel without huge pages refuses, and is right to
		unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0)
	}
	if c.Memory == 0 {
		return nil
	}
	limits := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_DATA: c.Memory, unix.RLIMIT_NOFILE: c.Files}
	if k.ownUser(c) {
		limits[unix.RLIMIT_NPROC] = maxTasks
	}
	for resource, most := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(resource, &now); err != nil {
			return cannotConfine(MeasureLimits, err)
		}
		most = min(most, now.Max)
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return cannotConfine(MeasureLimits, err)
		}
	}
	return nil
}
