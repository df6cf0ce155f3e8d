package execd

import (
	"slices"
	"strings"
	"sync"
	"syscall"

	"nexus/daemons/plat"
)

// Bounds on the list of a program's refusals (schema/exec.capnp).
const (
	maxRefused     = 4
	maxRefusedLine = 256
	maxQuoted      = 120 // bytes of a program's own line
)

// refusals are what was refused to one program, as far as that is known. The kernel tells only the program: its filters
// and path rules answer with an error. So there are two sources, and each line says which one it is from: what execd
// itself refused or saw, and what the program wrote about it.
type refusals struct {
	mu    sync.Mutex
	lines []string // of names that were looked up and not granted, in the order of their first time
}

// name records a name that the program looked up and does not have.
func (r *refusals) name(name string) {
	line := cut("looked up "+quote(name)+" and was not given it: "+grantOf(name), maxRefusedLine)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < maxRefused && !slices.Contains(r.lines, line) {
		r.lines = append(r.lines, line)
	}
}

// told returns lines that say what was refused and what would grant it. It takes the program's last lines, and its exit
// status if it has ended.
func (r *refusals) told(output []string, exit plat.Exit) []string {
	var lines []string
	if syscall.Signal(exit.Signal) == syscall.SIGSYS {
		lines = append(lines, "killed for a system call of another numbering, such as the 32-bit one: nothing grants those")
	}
	r.mu.Lock()
	lines = append(lines, r.lines...)
	r.mu.Unlock()
	var seen []string
	for _, line := range output {
		if grant := grantFor(line); grant != "" && !slices.Contains(seen, grant) {
			seen = append(seen, grant)
			lines = append(lines, cut("by its own word "+quote(line)+": "+grant, maxRefusedLine))
		}
	}
	return lines[:min(len(lines), maxRefused)]
}

// grantOf returns what grants a name.
func grantOf(name string) string {
	if name == "BundleMgr" || name == "PackageFs" || strings.HasPrefix(name, bundlePrefix) {
		return "caps = [" + quote(name) + "] in its manifest grants it, where somebody serves it"
	}
	return "no manifest grants that name"
}

// Hints for what the confinement refuses: the manifest's power that would allow it, if there is one (docs/security.md).
const (
	grantSocket = `a bundle makes no sockets: caps = ["net.listen:tcp/PORT"] hands it one that listens`
	grantPath   = `no path is open to a bundle: caps = ["PackageFs"] reads what the set carries`
	grantStart  = "a bundle starts no other program: nothing grants that, it may start copies of itself"
	grantCall   = "the system call is not in the set for payloads: nothing grants others"
)

// grantFor returns what would allow the operation that a line of a program's output complains about, or "" if it is not
// about a refusal. It knows how C, Go, Rust and Python report EPERM and EACCES.
func grantFor(line string) string {
	text := strings.ToLower(line)
	if !containsAny(text, "operation not permitted", "permission denied", "permissionerror", "os error 1)",
		"os error 13)", "eperm", "eacces") {
		return ""
	}
	switch {
	case containsAny(text, "socket", "listen", "dial", "connect", "bind", "tcp", "udp", "lookup"):
		return grantSocket
	case containsAny(text, "exec", "spawn", "fork", "subprocess"):
		return grantStart
	case containsAny(text, "open", "mkdir", "stat ", "read", "writ", "unlink", "remove", "rename", "chdir", "/"):
		return grantPath
	default:
		return grantCall
	}
}

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// quote returns a program's text as one short word.
func quote(text string) string {
	if len(text) > maxQuoted {
		text = cut(text, maxQuoted) + "…"
	}
	return `"` + text + `"`
}

// cut returns at most so many bytes of a text, as valid UTF-8. It holds on to none of what it cuts off.
func cut(text string, most int) string {
	return strings.ToValidUTF8(strings.Clone(text[:min(len(text), most)]), "")
}
