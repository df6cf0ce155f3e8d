package initd

import (
	"errors"
	"os"
	"path/filepath"

	"nexus/daemons/plat"
)

// A folder is where one system lives on this host:
//
//	lock                       held while the system runs
//	control.sock               the operator's way in, mode 0600, there while the system runs
//	run/                       a link per daemon to the one binary, there while the system runs
//	trust/<role>/<key>.pub     public keys allowed for a role
//	system/                    the slots (libupdates/slots)
//	state/                     durable state (libupdates/statefs), where there is any
type folder struct {
	path string
	lock *os.File
}

// runDir holds the links under which daemons are executed.
const runDir = "run"

// errAlreadyRunning says that another system holds the folder.
var errAlreadyRunning = errors.New("a system is running there already")

// openFolder makes the folder if it is new and takes its lock, unless the core before has left it. Nothing is changed when another system holds it.
func openFolder(path string, held *os.File) (*folder, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, lock: held}
	if held == nil {
		if f.lock, err = takeLock(filepath.Join(path, "lock")); err != nil {
			return nil, err
		}
	}
	if err := f.prepare(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func takeLock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := plat.Lock(lock); err != nil {
		lock.Close()
		if errors.Is(err, plat.ErrLocked) {
			return nil, errAlreadyRunning
		}
		return nil, err
	}
	return lock, nil
}

// prepare makes the sub-folders and clears what a killed system left.
func (f *folder) prepare() error {
	if err := os.RemoveAll(f.at(runDir)); err != nil {
		return err
	}
	for _, name := range []string{runDir, "system", "trust/apps", "trust/system"} {
		if err := os.MkdirAll(f.at(name), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) at(name string) string { return filepath.Join(f.path, name) }

// close gives the folder back.
func (f *folder) close() {
	os.RemoveAll(f.at(runDir))
	f.lock.Close()
}
