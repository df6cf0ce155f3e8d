package plat

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Users of their own, which no account of a host has.
const (
	FirstDaemonUser  = 0x0ff000 // 1044480; each daemon's is in its row
	FirstPayloadUser = 0x100000 // 1048576
	payloadUsers     = 0x010000 // how many there are; a power of two, which a filter can tell from others

	shareOfUsers = 0x400 // how many of them a system has; more than a set has bundles
	userShares   = payloadUsers / shareOfUsers
)

// A UserRange are the users that a system gives its payloads.
type UserRange struct{ First, Count uint32 }

// PayloadUsers gives each bundle of a set a user of its own, of all that there are: see UserRange.Users.
func PayloadUsers(names []string) map[string]uint32 {
	return UserRange{FirstPayloadUser, payloadUsers}.Users(names)
}

// PayloadShare is the range that begins with that user.
func PayloadShare(first uint32) (UserRange, error) {
	if first < FirstPayloadUser || first >= FirstPayloadUser+payloadUsers || first%shareOfUsers != 0 {
		return UserRange{}, fmt.Errorf("cannot use users from %d on: they are no share of those for payloads", first)
	}
	return UserRange{first, shareOfUsers}, nil
}

// Users gives each bundle of a set a user of its own: by its name, and where two names meet, the next that is free to
// the one that comes later in byte order. At most as many names as there are users.
func (r UserRange) Users(names []string) map[string]uint32 {
	users, taken := map[string]uint32{}, map[uint32]bool{}
	for _, name := range slices.Sorted(slices.Values(names)) {
		if _, done := users[name]; done {
			continue
		}
		hash := fnv.New32a()
		hash.Write([]byte(name))
		place := hash.Sum32() % r.Count
		for taken[place] {
			place = (place + 1) % r.Count
		}
		taken[place], users[name] = true, r.First+place
	}
	return users
}

// A UserClaim is a system's hold on a share of the users for payloads, so that no two systems of a machine have a user
// in common: the kernel counts the processes of a user, and what one system's payload uses up another's would lack.
type UserClaim struct {
	Range  UserRange
	Shared bool // no share was free: another system may have this one as well
	mark   *os.File
}

// usersFile is what the claims of a machine are locks on: each share is a byte of it. Nothing has to be cleared away
// after a system that was killed. Systems see the claims of those that have the same /dev.
const usersFile = os.DevNull

// ClaimUsers claims a share for the system in that folder. A system gets the same one again, unless another has taken
// it meanwhile. The claim lasts until it is closed, or this process ends. Where payloads are not given users there is
// nothing to claim.
func ClaimUsers(folder string) *UserClaim {
	if !look().canSetUser() {
		return &UserClaim{Range: rangeOf(shareOf(folder))}
	}
	return claimUsers(folder, usersFile)
}

func claimUsers(folder, path string) *UserClaim {
	preferred := shareOf(folder)
	for i := range uint32(userShares) {
		number := (preferred + i) % userShares
		if mark, err := claimShare(path, number); err == nil {
			return &UserClaim{Range: rangeOf(number), mark: mark}
		}
	}
	return &UserClaim{Range: rangeOf(preferred), Shared: true}
}

// Close gives the share back.
func (c *UserClaim) Close() {
	if c.mark != nil {
		c.mark.Close()
	}
}

func rangeOf(share uint32) UserRange {
	return UserRange{FirstPayloadUser + share*shareOfUsers, shareOfUsers}
}

// shareOf is the share that a system would have, by what the kernel knows its folder as.
func shareOf(folder string) uint32 {
	hash := fnv.New32a()
	if info, err := os.Stat(folder); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			fmt.Fprintf(hash, "%d %d", stat.Dev, stat.Ino)
		}
	}
	return hash.Sum32() % userShares
}

// claimShare locks the byte of a share.
func claimShare(path string, number uint32) (*os.File, error) {
	mark, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: int64(number), Len: 1}
	if err := unix.FcntlFlock(mark.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		mark.Close()
		return nil, err
	}
	return mark, nil
}
