package initd

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"nexus/daemons/plat"
	"nexus/libupdates/durable"
)

// A folder is where one system lives on this host:
//
//	lock                       held while the system runs
//	control.sock               the operators' socket, mode 0600, while the system runs
//	run/                       a link for each daemon to the one binary, while the system runs
//	trust/<role>/<key>.pub     public keys allowed for a role
//	roots/                     the root document, where there is one (libupdates/roots)
//	system/                    the slots (libupdates/slots)
//	state/                     durable state (libupdates/statefs), where there is any
//	trees/                     the trees of data bundles, unpacked while the system runs
//	bundles/                   the state of bundles (libupdates/bundlestate), where there is a state folder
//
// The operator chose the path, which may lead through links. Below it no link is followed.
type folder struct {
	tree
	lock *os.File
}

// A tree opens, checks and repairs names below a folder.
type tree struct {
	path  string
	dir   *os.File
	root  *os.Root
	files durable.FS // what is below dir
	found []finding
}

// Names in the folder.
const (
	lockFile    = "lock"
	controlFile = "control.sock"
	runDir      = "run" // the links under which daemons are executed
	systemDir   = "system"
	trustDir    = "trust"
	systemKeys  = trustDir + "/system"
	appsKeys    = trustDir + "/apps"
	rootsDir    = "roots"
)

// errAlreadyRunning reports that another system has the folder's lock.
var errAlreadyRunning = errors.New("a system is running there already")

// openFolder makes the folder if it is missing, and takes its lock or the one that the previous core handed over. If
// another system has the lock, nothing is changed. What can be made again is; other things in the way are set aside,
// unless they are needed. keysGiven says that the command line has the trusted keys.
func openFolder(path string, held *os.File, keysGiven bool) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &folder{tree: tree{path: path}}
	if err := f.open(); err != nil {
		return nil, err
	}
	if err := f.take(held); err != nil {
		f.close()
		return nil, err
	}
	if err := f.prepare(keysGiven); err != nil {
		f.clear()
		return nil, err
	}
	return f, nil
}

// open opens the folder itself.
func (f *folder) open() (err error) {
	if f.dir, err = f.openNamed(f.path, "--dir", 0o755, 0); err != nil {
		return err
	}
	if f.root, err = plat.Root(f.dir); err != nil {
		f.dir.Close()
		return err
	}
	f.files = durable.OS(f.root)
	return nil
}

// take takes the lock. Anything of that name that is not a file is replaced. A system that serves the control socket is
// running in any case.
func (f *folder) take(held *os.File) (err error) {
	if f.lock = held; held != nil {
		return nil
	}
	if object, err := plat.Look(f.dir, controlFile); err == nil && object.Kind == fs.ModeSocket {
		if conn, err := plat.DialPath(f.at(controlFile)); err == nil {
			conn.Close()
			return errAlreadyRunning
		}
	}
	if err := f.makeWay(lockFile, 0); err != nil {
		return err
	}
	f.openUp(lockFile, 0o600)
	if f.lock, err = plat.OpenFileAt(f.dir, lockFile, 0o600); err != nil {
		return f.cannotOpen(lockFile, err)
	}
	if err := plat.Lock(f.lock); errors.Is(err, plat.ErrLocked) {
		return errAlreadyRunning
	} else if err != nil {
		return cannotUse(f.at(lockFile), plainly(err), "its file system has no locks: name another folder with --dir")
	}
	return nil
}

// prepare makes the sub-folders and removes what a killed system left.
func (f *folder) prepare(keysGiven bool) error {
	if err := f.prepareRun(); err != nil {
		return err
	}
	beginAnew := "put the folder back, or move this away to begin without sets"
	giveKeys := "put the folder back, or give the keys with --trust"
	if keysGiven {
		giveKeys = ""
	}
	for _, place := range []struct {
		name   string
		needed string // advice if it is not what it should be; empty: it can be made again
		reader bool   // only what operators give is written there
	}{
		{systemDir, beginAnew, false},
		{trustDir, giveKeys, true},
		{systemKeys, giveKeys, true},
		{appsKeys, "", true},
		{rootsDir, "put the folder back, or move this away to go by the keys again", false},
		{treesDir, "", false},
	} {
		if err := f.prepareDir(place.name, place.needed, place.reader); err != nil {
			return err
		}
	}
	return nil
}

// prepareRun makes an empty folder for links.
func (f *folder) prepareRun() error {
	if err := f.makeWay(runDir, fs.ModeDir); err != nil {
		return err
	}
	f.openUp(runDir, 0o700)
	if f.root.RemoveAll(runDir) != nil { // perhaps it belongs to somebody else
		if err := f.setAside(runDir); err != nil {
			return err
		}
	}
	return f.files.Mkdir(runDir)
}

// keepBytes has a file hold the data, durably. One that does already stays as it is: what is given at every start takes
// no space, so a system whose disk is full starts.
func (f *folder) keepBytes(name string, data []byte) error {
	if kept, err := f.read(name, int64(len(data))+1); err == nil && bytes.Equal(kept, data) {
		return nil
	}
	return durable.WriteFile(f.files, name, data)
}

// read returns a file's bytes, and no more than the limit.
func (f *folder) read(name string, limit int64) ([]byte, error) {
	file, err := f.files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(io.NewSectionReader(file, 0, file.Size()), limit))
}

// prepareDir makes a folder if it is missing.
func (f *folder) prepareDir(name, needed string, reader bool) error {
	kind, err := f.files.Kind(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.files.Mkdir(name)
	case err != nil:
		return cannotLook(f.at(name), err)
	case kind != fs.ModeDir && needed != "":
		return cannotUse(f.at(name), "it is "+durable.KindName(kind)+", not a folder", needed)
	case kind != fs.ModeDir:
		if err := f.setAside(name); err != nil {
			return err
		}
		return f.files.Mkdir(name)
	}
	return f.checkDir(name, reader)
}

// checkDir checks that this system can use a folder.
func (f *tree) checkDir(name string, reader bool) error {
	parent, base, err := f.parent(name)
	if err != nil {
		return err
	}
	defer parent.Close()
	owner := claimOf(name).OwnerOf()
	if reader {
		owner = 0 // root may keep the keys of a system that is not root's
	}
	return f.checkAt(parent, base, name, owner)
}

// checkAt checks the owner of a folder and, if that is us, whether we may use it.
func (f *tree) checkAt(parent *os.File, base, name string, owner uint32) error {
	object, err := plat.Look(parent, base)
	if err != nil {
		return err
	}
	if err := checkOwner(f.at(name), object.Owner, owner); err != nil {
		return err
	}
	if done, err := plat.OpenUp(parent, base, 0o700); err == nil && done {
		f.say("%s was closed to its owner: opened", name)
	}
	dir, err := plat.OpenFolderAt(parent, base)
	if err != nil {
		return cannotUse(f.at(name), plainly(err), "start the system as its owner, or give it to this user")
	}
	return dir.Close()
}

func (f *tree) at(name string) string { return filepath.Join(f.path, name) }

// clear leaves the folder as it is after an orderly end.
func (f *folder) clear() {
	f.root.RemoveAll(runDir)
	f.close()
}

// close unlocks the folder.
func (f *folder) close() {
	if f.lock != nil {
		f.lock.Close()
	}
	f.root.Close()
	f.dir.Close()
}
