package plat

import (
	"fmt"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Hindrance is a limit or a setting of this machine by which payloads cannot be started, or do not get what they are
// promised.
type Hindrance struct {
	What   string // the limit or setting, and its value; or what failed
	Remedy string
	Lasts  bool // no payload can be started, and that stays so until the system is started again
}

// A neededLimit is a limit that is inherited by payloads, and the least value with which any of them can run.
type neededLimit struct {
	resource int
	name     string
	least    uint64
	flag     string // of the shell's ulimit
}

// neededLimits are those that a start or a payload can run into. The limits of a confinement are below them.
var neededLimits = []neededLimit{
	{unix.RLIMIT_NOFILE, "open files", 256, "n"},
	{unix.RLIMIT_NPROC, "processes", 256, "u"},
	{unix.RLIMIT_FSIZE, "file size in bytes", 1 << 30, "f"}, // files in memory included
	{unix.RLIMIT_DATA, "data size in bytes", payloadMemory, "d"},
	{unix.RLIMIT_STACK, "stack size in bytes", 1 << 20, "s"},
	{unix.RLIMIT_AS, "address space in bytes", math.MaxUint64, "v"}, // runtimes reserve much more than they use
	{unix.RLIMIT_CPU, "processor time in seconds", math.MaxUint64, "t"},
}

// payloadMemory is how much private memory a payload may have.
const payloadMemory = 512 << 20

// Hindrances looks for what keeps this machine from running payloads, by its limits and settings and by a start that
// goes as far as a payload's does.
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

// probeTries is how often a start is tried before its error counts.
const probeTries = 3

// ProbeStart goes through all that comes before the first instruction of a payload: its file in memory, a process, the
// confinement, up to the execution of what is no program. The error is what stops it before that.
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
