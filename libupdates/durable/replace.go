package durable

import "path"

const (
	privatePerm = 0o600
	tempSuffix  = ".tmp"
)

// WriteFile replaces the content of the file name, or makes the file, in one step: after a cut at any moment the file
// holds the old bytes or the new ones, and when WriteFile returns nil the new ones are durable. It writes beside the
// target, as name.tmp; what a cut left there is overwritten. On an error the old content is still there, unless the
// last step, making the new name durable, failed.
func WriteFile(fs FS, name string, data []byte) error {
	if err := Replace(fs, name, data); err != nil {
		return err
	}
	return fs.SyncDir(path.Dir(name))
}

// Replace is WriteFile without its last step: after a cut the file holds the old bytes or the new ones, but which of
// them is sure only once SyncDir has returned for its directory. On an error the old content is still there.
func Replace(fs FS, name string, data []byte) error {
	temp := name + tempSuffix
	if err := fs.RemoveAll(temp); err != nil {
		return err
	}
	if err := writeSynced(fs, temp, data); err != nil {
		fs.RemoveAll(temp) // best effort: the error that matters is the first one
		return err
	}
	if err := fs.Rename(temp, name); err != nil {
		fs.RemoveAll(temp)
		return err
	}
	return nil
}

func writeSynced(fs FS, name string, data []byte) error {
	f, err := fs.Create(name, privatePerm)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}
