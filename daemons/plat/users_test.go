package plat

import (
	"os"
	"path/filepath"
	"testing"
)

// usersOfTest is a file to lock, which no system on this machine knows.
func usersOfTest(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Two systems have no user in common, whatever their bundles are called, and a system that starts again has its own.
func TestClaimUsers(t *testing.T) {
	one, two, path := t.TempDir(), t.TempDir(), usersOfTest(t)
	a := claimUsers(one, path)
	again := claimUsers(one, path) // as if another folder led to the same share
	b := claimUsers(two, path)
	seen := map[uint32]bool{}
	for _, c := range []*UserClaim{a, again, b} {
		user := c.Range.Users([]string{"hello"}, nil)["hello"]
		if c.Shared || seen[user] || user < c.Range.First || user >= c.Range.First+c.Range.Count {
			t.Errorf("user %d of %+v, after %v", user, c, seen)
		}
		seen[user] = true
		if share, err := PayloadShare(c.Range.First); err != nil || share != c.Range {
			t.Errorf("the share of %d is %v, not %v: %v", c.Range.First, share, c.Range, err)
		}
	}
	a.Close()
	if c := claimUsers(one, path); c.Range != a.Range {
		t.Errorf("a system has the users %v after %v", c.Range, a.Range)
	}
}

// When no share is left a system runs all the same, with users that another may have; so it does where claims cannot be
// made.
func TestNoShareIsLeft(t *testing.T) {
	folder, path := t.TempDir(), usersOfTest(t)
	taken := map[UserRange]bool{}
	for range userShares {
		c := claimUsers(folder, path)
		if c.Shared || taken[c.Range] {
			t.Fatalf("%+v after %d claims", c, len(taken))
		}
		defer c.Close()
		taken[c.Range] = true
	}
	for _, path := range []string{path, filepath.Join(folder, "none")} {
		if c := claimUsers(folder, path); !c.Shared || c.Range != rangeOf(shareOf(folder)) {
			t.Errorf("after %d claims: %+v", len(taken), c)
		}
	}
}

func TestPayloadShare(t *testing.T) {
	for _, first := range []uint32{0, FirstDaemonUser, FirstPayloadUser - 1, FirstPayloadUser + 1,
		FirstPayloadUser + payloadUsers} {
		if share, err := PayloadShare(first); err == nil {
			t.Errorf("%d begins %v", first, share)
		}
	}
}
