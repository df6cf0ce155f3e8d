package plat

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// User ids that no account of a host has.
const (
	FirstDaemonUser  = 0x0ff000 // 1044480; each daemon's is in its row of the table
	FirstPayloadUser = 0x100000 // 1048576
	payloadUsers     = 0x010000 // their number; a power of two, so that a filter can test for them

	shareOfUsers = 0x400 // the number for one system; more than a set has bundles
	userShares   = payloadUsers / shareOfUsers
)

// A UserRange is the range of users that a system gives its payloads.
type UserRange struct{ First, Count uint32 }

// PayloadShare returns the share that begins with that user.
func PayloadShare(first uint32) (UserRange, error) {
	if first < FirstPayloadUser || first >= FirstPayloadUser+payloadUsers || first%shareOfUsers != 0 {
		return UserRange{}, fmt.Errorf("cannot use users from %d on: they are no share of those for payloads", first)
	}
	return UserRange{first, shareOfUsers}, nil
}

// Users gives each bundle of a set a user of its own: the one that it has, or else one by a hash of its name. Where two
// names collide, the later one in byte order gets the next free user. There may be at most as many names as users.
func (r UserRange) Users(names []string, has map[string]uint32) map[string]uint32 {
	users, taken := map[string]uint32{}, map[uint32]bool{}
	for _, name := range names {
		if user, is := has[name]; is {
			users[name], taken[user-r.First] = user, true
		}
	}
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

// A UserClaim is a system's hold on a share of the payload users. No two systems of a machine have a user in common,
// because the kernel limits processes per user: a payload of one system could use up what another's needs.
type UserClaim struct {
	Range  UserRange
	Shared bool // no share was free; another system may have this one too
	mark   *os.File
}

// usersFile is the file on which claims are locks, one byte for each share. A killed system leaves nothing to clean up.
// Systems see the claims of those that have the same /dev.
const usersFile = os.DevNull

// ClaimUsers claims a share for the system in that folder. A system gets the same one again unless another has taken it
// meanwhile. The claim lasts until it is closed or this process ends. Where payloads get no users there is nothing to
// claim.
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

// Close releases the share.
func (c *UserClaim) Close() {
	if c.mark != nil {
		c.mark.Close()
	}
}

func rangeOf(share uint32) UserRange {
	return UserRange{FirstPayloadUser + share*shareOfUsers, shareOfUsers}
}

// shareOf is the share that a system prefers, by device and inode number of its folder.
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

// mapsUsers reports whether the user ids of daemons and payloads exist here. A user namespace, such as that of a
// rootless container, may map only one id, or only those that its user was assigned, and may forbid setgroups(2).
func mapsUsers() bool {
	if word, err := os.ReadFile("/proc/self/setgroups"); err == nil && strings.TrimSpace(string(word)) != "allow" {
		return false
	}
	for _, table := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(table)
		if err == nil && !mapped(string(text), FirstDaemonUser, FirstPayloadUser+payloadUsers) {
			return false
		}
	}
	return true
}

// mapped reports whether one line of a table (user_namespaces(7)) maps all ids from first up to, but not including,
// end.
func mapped(table string, first, end uint64) bool {
	for line := range strings.Lines(table) {
		var inside, outside, length uint64
		if n, _ := fmt.Sscan(line, &inside, &outside, &length); n == 3 && inside <= first && end <= inside+length {
			return true
		}
	}
	return false
}
