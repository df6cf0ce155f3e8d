package durable

import "path"

const (
	privatePerm = 0o600
	tempSuffix  = ".tmp"
)

// WriteFile writes a file in one step, replacing an existing one. After a power cut at any moment, the file holds the
// old bytes or the new ones. When WriteFile returns nil, the new ones are durable. It writes to name.tmp first and
// overwrites one that a power cut left. After an error the old content is still there, unless only the last step,
// making the new name durable, failed.
func WriteFile(fs FS, name string, data []byte) error {
	if err := Replace(fs, name, data); err != nil {
		return err
	}
	return fs.SyncDir(path.Dir(name))
}

// Replace is WriteFile without the last step. After a power cut the file holds the old bytes or the new ones; SyncDir
// of its directory makes the new ones durable. After an error the old content is still there.
func Replace(fs FS, name string, data []byte) error { return ReplaceWithRoom(fs, name, data, 0) }

// ReplaceForBoot is Replace for a file that is removed before it is read in another boot: after a power cut it may hold
// anything.
func ReplaceForBoot(fs FS, name string, data []byte) error {
	return replace(fs, name, data, 0, false)
}

// ReplaceWithRoom is Replace, and reserves space for the file to grow to that size where the file system can.
func ReplaceWithRoom(fs FS, name string, data []byte, room int64) error {
	return replace(fs, name, data, room, true)
}

func replace(fs FS, name string, data []byte, room int64, sync bool) error {
	temp := name + tempSuffix
	if err := fs.RemoveAll(temp); err != nil {
		return err
	}
	if err := write(fs, temp, data, room, sync); err != nil {
		fs.RemoveAll(temp) // best effort: the first error is the one to report
		return err
	}
	if err := fs.Rename(temp, name); err != nil {
		fs.RemoveAll(temp)
		return err
	}
	return nil
}

func write(fs FS, name string, data []byte, room int64, sync bool) error {
	f, err := fs.Create(name, privatePerm)
	if err != nil {
		return err
	}
	defer f.Close()
	if room > 0 {
		if err := f.Reserve(room); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}
