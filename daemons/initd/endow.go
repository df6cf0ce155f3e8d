package initd

import (
	"errors"
	"strings"

	"nexus/daemons/plat"
	"nexus/daemons/vat"
)

// endow makes a new instance of a daemon what its row says: resources first, then a link for each edge whose other end
// runs.
func (s *system) endow(c *child, process plat.Process, parent *vat.Parent) {
	s.mu.Lock()
	c.process, c.parent = process, parent
	s.mu.Unlock()
	err := errors.Join(s.grantResources(c.row, parent), s.links.Endow(c.row.Name, parent))
	if err != nil {
		// It would live without something its row grants. Its next life gets all of it.
		s.log.Warn("cannot endow daemon", "daemon", c.row.Name, "error", err)
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.endowed = errors.New(first)
		process.Kill()
	}
}

func (s *system) grantResources(row Daemon, parent *vat.Parent) error {
	var errs []error
	for _, name := range row.Settings {
		errs = append(errs, parent.GrantSetting(name, s.settings[name]))
	}
	for _, name := range row.Files {
		if f := s.files[name]; f != nil {
			errs = append(errs, parent.GrantFile(name, f))
		}
	}
	for _, name := range row.Dirs {
		if dir := s.dirs[name]; dir != nil || name != groupsDir {
			errs = append(errs, parent.GrantDir(name, dir))
		}
	}
	return errors.Join(errs...)
}
