package initd

import (
	"cmp"
	"crypto/rand"
	"errors"
	"os"
	"strconv"

	"nexus/daemons/initd/machine"
	"nexus/daemons/plat"
	"nexus/daemons/vat"
	"nexus/libupdates/trust"
)

// resources are what rows of the table have besides links: settings, open files and directories, by name.
type resources struct {
	settings map[string]string
	files    map[string]*os.File
	dirs     map[string]*os.File
	device   trust.PublicKey // the key by which operators over the network know this device
}

func newResources(config Config) resources {
	return resources{
		settings: map[string]string{
			"limit-archive": strconv.FormatInt(config.Limits.Archive, 10),
			"limit-payload": strconv.FormatInt(config.Limits.Payload, 10),
			"tries":         strconv.Itoa(int(config.Policy.Tries)),
			"settle":        config.Policy.SettleTime.String(),
			"floor":         cmp.Or(config.Floor, floorSigned),
			"record":        recordPlace(config.State != ""),
			"journal":       recordPlace(config.State != "") + " " + rand.Text(), // the id of this boot
			"boot-cause":    config.Cause.String(),
			"core":          coreSetting(config.Handed.Core),
			hinderedSetting: config.lasting(),
			usersSetting:    strconv.FormatUint(uint64(config.users), 10),
			groupsDir:       strconv.FormatBool(config.groups != ""),
			"operators":     config.Remote.keys(),
			registryRate:    strconv.FormatInt(config.Registry.Rate, 10),
		},
		files: map[string]*os.File{},
		dirs:  map[string]*os.File{},
	}
}

// open opens the directories and files, and gives the directories the owners and modes that daemons need.
func (r *resources) open(config *Config, console *os.File, f *folder, state *stateFolder) (err error) {
	if err := r.openOwn(f, state); err != nil {
		return err
	}
	if config.Remote.on() {
		if err := r.openRemote(config, f); err != nil {
			return err
		}
	}
	if err := r.openRegistry(config.Registry); err != nil {
		return err
	}
	for _, dir := range []struct{ name, path string }{{groupsDir, config.groups}, {"sets", config.SelftestSets}} {
		if dir.path == "" {
			continue
		}
		if r.dirs[dir.name], err = plat.OpenFolder(dir.path); err != nil {
			return err
		}
	}
	if config.Factory != "" {
		if r.files["factory"], err = os.Open(config.Factory); err != nil {
			return err
		}
	}
	r.files["console"] = console
	if r.files["record"] = config.Handed.Take(machine.HandedRecord); r.files["record"] == nil {
		r.files["record"], err = plat.Memory("boot-record")
	}
	return err
}

// openOwn opens the directories in the system's own folder, and its state.
func (r *resources) openOwn(f *folder, state *stateFolder) (err error) {
	if r.dirs[systemDir], err = f.below(systemDir); err != nil {
		return err
	}
	if r.dirs[trustDir], err = f.below(trustDir); err != nil {
		return err
	}
	if r.dirs[rootsDir], err = f.below(rootsDir); err != nil {
		return err
	}
	if r.dirs[treesDir], err = f.below(treesDir); err != nil {
		return err
	}
	if state != nil { // opened again, so that statefsd does not get the lock
		if r.dirs[stateDir], err = plat.OpenFolderAt(state.lock, "."); err != nil {
			return err
		}
	}
	found, err := ownAll(r.dirs)
	f.found = append(f.found, found...)
	return err
}

// grant gives a new instance of a daemon the resources in its row.
func (r *resources) grant(row Daemon, channel *vat.Parent) error {
	var errs []error
	for _, name := range row.Settings {
		errs = append(errs, channel.GrantSetting(name, r.settings[name]))
	}
	for _, name := range row.Files {
		if f := r.files[name]; f != nil {
			errs = append(errs, channel.GrantFile(name, f))
		}
	}
	for _, name := range row.Dirs {
		if dir := r.dirs[name]; dir != nil || !isOptional(name) {
			errs = append(errs, channel.GrantDir(name, dir))
		}
	}
	return errors.Join(errs...)
}

func (r *resources) close() {
	for name, f := range r.files {
		if name != "console" {
			f.Close()
		}
	}
	for _, d := range r.dirs {
		d.Close()
	}
}
