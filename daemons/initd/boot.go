package initd

import (
	"context"
	"io"
	"os"

	"nexus/daemons/plat"
)

// Boot runs a system until ctx ends, an operator stops it, or it cannot go on; it returns ErrReboot where it is to begin anew. It takes the folder, opens what the table grants, and has
// the launcher bring the daemons to life. The console gets markers and what an operator should see, stderr a daemon's last words.
func Boot(ctx context.Context, config Config, host plat.Host, launcher Launcher, console *os.File, stderr io.Writer) error {
	folder, err := openFolder(config.Dir)
	if err != nil {
		return err
	}
	defer folder.close()
	for _, source := range config.Trust {
		if err := folder.addTrust(source); err != nil {
			return err
		}
	}
	state, err := openState(config.state())
	if err != nil {
		return err
	}
	defer state.close()
	sockets, err := openSockets(folder, config.Shares)
	if err != nil {
		return err
	}
	defer closeSockets(sockets)
	s := newSystem(config, host, launcher, stderr)
	defer s.closeResources()
	if err := s.openResources(console); err != nil {
		return err
	}
	return s.run(ctx, sockets)
}
