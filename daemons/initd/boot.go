package initd

import (
	"context"
	"fmt"
	"io"
	"os"

	"nexus/daemons/plat"
)

// Boot runs a system until ctx ends, an operator stops it, it cannot go on, or another core is to take over: then it returns what is left to that.
// The error is ErrReboot where it is to begin anew. It takes the folder, opens what the table grants, and has the launcher bring the daemons to
// life. The console gets markers and what an operator should see, stderr a daemon's last words.
func Boot(ctx context.Context, config Config, host plat.Host, launcher Launcher, console *os.File, stderr io.Writer) (next *Handed, err error) {
	folder, err := openFolder(config.Dir, config.Handed.take(handedLock))
	if err != nil {
		return nil, err
	}
	defer folder.close()
	for _, source := range config.Trust {
		if err := folder.addTrust(source); err != nil {
			return nil, err
		}
	}
	state, err := openState(config.state(), config.Handed.take(handedState))
	if err != nil {
		return nil, err
	}
	defer state.close()
	sockets, err := openSockets(folder, config.Shares, &config.Handed)
	if err != nil {
		return nil, err
	}
	defer func() {
		if next == nil {
			removeSockets(sockets)
		}
	}()
	s := newSystem(config, host, launcher, stderr)
	defer s.closeResources()
	if err := s.openResources(console); err != nil {
		return nil, err
	}
	if err := s.run(ctx, sockets); err != nil {
		return nil, err
	}
	next, err = s.successor(ctx, kept(folder, state, s, sockets))
	if next != nil {
		hangUp(sockets)
	}
	return next, err
}

// kept are the open files that outlast a core.
func kept(folder *folder, state *stateFolder, s *system, sockets []*controlSocket) map[string]*os.File {
	files := map[string]*os.File{handedLock: folder.lock, handedRecord: s.files["record"]}
	if state != nil {
		files[handedState] = state.lock
	}
	if m := s.config.machine; m != nil && m.open != nil {
		files[handedWatchdog] = m.open
	}
	for i, socket := range sockets {
		if socket.file != nil {
			files[fmt.Sprint(handedSocket, i)] = socket.file
		}
	}
	return files
}
