package initd

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
	"nexus/libupdates/durable"
	"nexus/libupdates/refusal"
)

// A finding is something in the system's folders that is or was wrong.
type finding struct {
	text   string
	mended bool
}

// openUp restores the owner's rights if we are the owner, and notes it.
func (f *tree) openUp(name string, need uint32) {
	if done, err := plat.OpenUp(f.dir, name, need); err == nil && done {
		f.say("%s was closed to its owner: opened", name)
	}
}

// makeWay sets aside what has a name but is of the wrong kind.
func (f *tree) makeWay(name string, want fs.FileMode) error {
	kind, err := f.files.Kind(name)
	if err != nil || kind == want {
		return nil // if it cannot be looked at, opening it will fail
	}
	return f.setAside(name)
}

func (f *tree) setAside(name string) error {
	kind, err := f.files.Kind(name)
	if err != nil {
		return cannotLook(f.at(name), err)
	}
	to, err := durable.SetAside(f.files, name)
	if err != nil {
		cause := "it is " + durable.KindName(kind) + ", and cannot be set aside: " + plainly(err)
		return cannotUse(f.at(name), cause, "move it away")
	}
	f.say("%s was %s: set aside as %s", name, durable.KindName(kind), to)
	return nil
}

// say notes a repair.
func (f *tree) say(format string, args ...any) {
	f.found = append(f.found, finding{fmt.Sprintf(format, args...), true})
}

// claimOf returns the owner and mode of a folder in rows of the table: it belongs to its writer, and its readers may
// read it.
func claimOf(name string) plat.Claim {
	var c plat.Claim
	for _, row := range Table() {
		for _, rule := range row.Confinement.Paths {
			switch {
			case rule.Path != dirPrefix+name:
			case rule.Access&plat.Write != 0:
				c.User = row.Confinement.User
			default:
				c.Shared = true
			}
		}
	}
	return c
}

// ownAll gives folders the owner and mode that the table says, and returns what was wrong.
func ownAll(dirs map[string]*os.File) (found []finding, err error) {
	for _, name := range []string{systemDir, trustDir, rootsDir, treesDir, stateDir} {
		dir := dirs[name]
		if dir == nil {
			continue
		}
		notes, err := plat.Give(dir, claimOf(name))
		for _, n := range notes {
			found = append(found, finding{filepath.Join(name, n.Name) + " " + n.What, n.Mended})
		}
		if err != nil {
			return found, fmt.Errorf("cannot use %s: %w", name, err)
		}
	}
	return found, nil
}

// maxFound bounds the findings that are reported.
const maxFound = 16

// tell reports what was found at the start, and records what was done about it.
func tell(log *logclient.Log, found []finding) {
	for i, f := range found {
		if i == maxFound {
			log.Warn("folder", "note", fmt.Sprintf("and %d more", len(found)-maxFound))
			return
		}
		log.Warn("folder", "note", f.text)
		if f.mended {
			reason := string(refusal.StateDamaged)
			log.Audit(logclient.Audit{Op: "mend", Result: logclient.ResultOK, Reason: reason, Detail: f.text})
		}
	}
}
