package plat

import (
	"hash/fnv"
	"slices"
)

// Users of their own, which no account of a host has.
const (
	FirstDaemonUser  = 0x0ff000 // 1044480; each daemon's is in its row
	FirstPayloadUser = 0x100000 // 1048576
	payloadUsers     = 0x010000 // how many there are; a power of two, which a filter can tell from others
)

// PayloadUsers gives each bundle of a set a user of its own: by its name, and where two names meet, the next that is
// free to the one that comes later in byte order. At most payloadUsers names.
func PayloadUsers(names []string) map[string]uint32 {
	users, taken := map[string]uint32{}, map[uint32]bool{}
	for _, name := range slices.Sorted(slices.Values(names)) {
		if _, done := users[name]; done {
			continue
		}
		hash := fnv.New32a()
		hash.Write([]byte(name))
		place := hash.Sum32() % payloadUsers
		for taken[place] {
			place = (place + 1) % payloadUsers
		}
		taken[place], users[name] = true, FirstPayloadUser+place
	}
	return users
}
