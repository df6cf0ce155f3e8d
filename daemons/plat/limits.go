package plat

import (
	"fmt"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Hindrance is a limit or a setting of this machine that keeps payloads from starting, or from getting what they are
// promised.
type Hindrance struct {
	What   string // the limit or setting, and its value; or what failed
	Remedy string
	Lasts  bool // no payload can start until the system is restarted
}

// A neededLimit is a limit that payloads inherit, and the least value with which any of them can run.
type neededLimit struct {
	resource int
	name     string
	least    uint64
	flag     string // of the shell's ulimit
}

// neededLimits are the limits that a start or a payload can run into. A confinement sets lower ones.
var neededLimits = []neededLimit{
	{unix.RLIMIT_NOFILE, "open files", 256, "n"},
	{unix.RLIMIT_NPROC, "processes", 256, "u"},
	{unix.RLIMIT_FSIZE, "file size in bytes", 1 << 30, "f"}, // memory files included
	{unix.RLIMIT_DATA, "data size in bytes", payloadMemory, "d"},
	{unix.RLIMIT_STACK, "stack size in bytes", 1 << 20, "s"},
	{unix.RLIMIT_AS, "address space in bytes", math.MaxUint64, "v"}, // runtimes reserve much more than they use
	{unix.RLIMIT_CPU, "processor time in seconds", math.MaxUint64, "t"},
}

// payloadMemory bounds the private memory of a payload, in bytes.
const payloadMemory = 512 << 20

// Hindrances finds what keeps this machine from running payloads. It looks at limits and settings, and tries a start
// with everything but a program.
func Hindrances(s Spawner) (found []Hindrance) {
	for _, l := range neededLimits {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err == nil && now.Cur < l.least {
			found = append(found, Hindrance{
				What:   fmt.Sprintf("the limit of %s is %d (ulimit -%s)", l.name, now.Cur, l.flag),
				Remedy: "raise it where the system is started",
			})
		}
	}
	if value, err := os.ReadFile("/proc/sys/vm/memfd_noexec"); err == nil && strings.TrimSpace(string(value)) == "2" {
		found = append(found, Hindrance{
			What: "no file in memory may be executed (vm.memfd_noexec is 2)", Remedy: "sysctl vm.memfd_noexec=1",
		})
	}
	err := ProbeStart(s)
	switch {
	case err == nil:
	case len(found) > 0:
		found[0].Lasts = true
	default:
		found = append(found, Hindrance{What: err.Error(), Remedy: "attempts wait until a service can be started"})
	}
	return found
}

// probeTries is how many times a start must fail before its error counts.
const probeTries = 3

// ProbeStart does all that precedes the first instruction of a payload: the memory file, the process, the confinement,
// up to the execution of a file that is not a program. The error is what failed before that.
func ProbeStart(s Spawner) (err error) {
	for range probeTries {
		if err = probeStart(s); err == nil {
			return nil
		}
	}
	return err
}

func probeStart(s Spawner) error {
	const text = "this is no program"
	f, err := SealedMemory("probe", strings.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	defer f.Close()
	c := PayloadConfinement(FirstPayloadUser, false)
	_, err = s.Spawn(Command{
		Path: ByDescriptor(f), File: f, Argv: []string{"probe"}, Dir: "/", DieWithParent: true, Confinement: &c,
	})
	if ProgramRefused(err) {
		return nil
	}
	return err
}
