package initd

import (
	"context"
	"fmt"
	"io"
	"os"

	"nexus/daemons/initd/machine"
	"nexus/daemons/initd/supervise"
	"nexus/daemons/plat"
)

// Boot runs a system until ctx ends, an operator stops it, it cannot go on, or another core is to take over; then it
// returns what that core inherits. The error is ErrReboot if the system is to start again. Boot locks the folder, opens
// what the table grants, and has the launcher start the daemons. Markers and messages for operators go to the console,
// and the last output of a crashed daemon to stderr.
func Boot(ctx context.Context, config Config, host plat.Host, launcher supervise.Launcher, console *os.File,
	stderr io.Writer) (next *machine.Handed, err error) {
	folder, state, err := lockFolders(&config)
	if err != nil {
		return nil, err
	}
	defer folder.clear()
	defer state.close()
	sockets, err := openSockets(folder, config.Shares, &config.Handed)
	if err != nil {
		return nil, err
	}
	sockets = append(sockets, config.Remote.sockets()...)
	defer func() {
		if next == nil {
			removeSockets(sockets)
		}
	}()
	host.Groups.Make(folder.path) // this kills what an earlier run left in them, so the folder must be locked first
	defer host.Groups.Remove()
	config.groups = host.Groups.Dir()
	users := plat.ClaimUsers(folder.path)
	defer users.Close()
	config.users = users.Range.First
	s := newSystem(config, host, launcher, stderr)
	defer s.resources.close()
	if err := s.prepare(&config, console, folder, state); err != nil {
		return nil, err
	}
	defer s.states.close()
	defer s.listeners.keep(nil)
	s.tellHindrances(users.Shared)
	if err = s.run(ctx, sockets); err == nil {
		next, err = s.ending.successor(ctx, kept(folder, state, s, sockets))
	}
	if next == nil {
		s.trees.end()
		s.states.end()
		return nil, err
	}
	s.taken.leave(next)
	hangUp(sockets)
	return next, err
}

// lockFolders opens the system's folder and that of its state, and puts the keys and the policy that the command line
// names into the former.
func lockFolders(config *Config) (f *folder, state *stateFolder, err error) {
	config.State = config.state()
	if f, err = openFolder(config.Dir, config.Handed.Take(machine.HandedLock), config.keysGiven()); err != nil {
		return nil, nil, err
	}
	if err = f.keep(config.Trust, config.Powers); err == nil {
		state, err = openState(config.State, config.Handed.Take(machine.HandedState), f)
	}
	if err != nil {
		f.clear()
		return nil, nil, err
	}
	return f, state, nil
}

// prepare opens what the daemons are granted, and what initd itself keeps in the system's folder and the state's.
func (s *system) prepare(config *Config, console *os.File, folder *folder, state *stateFolder) (err error) {
	if err := s.resources.open(config, console, folder, state); err != nil {
		return err
	}
	s.keys = &keyring{folder: folder, dir: s.resources.dirs[trustDir], reload: s.holdings["TrustReload"],
		gate: s.holdings["HealthGate"]}
	if s.states, err = openStates(folder, config.stateView(), config.Handed.Given(), s.log); err != nil {
		return err
	}
	if s.states != nil {
		s.states.status = s.updateStatus
	}
	s.trees = openTrees(s.resources.dirs[treesDir], *config, s.log)
	s.judge, s.listeners = openJudge(folder, s.states, s.trees, s.log), takeListeners(&config.Handed)
	s.setReach()
	tell(s.log, folder.found)
	return nil
}

// keep stores the keys and the policy that the command line names, and checks that somebody is trusted.
func (f *folder) keep(keys []string, policy string) error {
	for _, source := range keys {
		if err := f.addTrust(source); err != nil {
			return err
		}
	}
	if err := f.checkTrust(); err != nil || policy == "" {
		return err
	}
	return f.addPolicy(policy)
}

// kept returns the open files that the next core inherits.
func kept(folder *folder, state *stateFolder, s *system, sockets []*controlSocket) map[string]*os.File {
	files := map[string]*os.File{machine.HandedLock: folder.lock, machine.HandedRecord: s.resources.files["record"]}
	if listener := s.resources.files[listenerFile]; listener != nil {
		files[machine.HandedRemote] = listener
	}
	if state != nil {
		files[machine.HandedState] = state.lock
	}
	if m := s.config.machine; m != nil && m.Leave() != nil {
		files[machine.HandedWatchdog] = m.Leave()
	}
	s.listeners.leave(files)
	for i, socket := range sockets {
		if socket.file != nil {
			files[fmt.Sprint(machine.HandedSocket, i)] = socket.file
		}
	}
	return files
}
