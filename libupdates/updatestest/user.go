package updatestest

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// Nameless tells why OpenSSH's programs cannot run as this user: they end at once where /etc/passwd has no name for it.
// Nil: it has one.
func Nameless() error {
	uid := strconv.Itoa(os.Getuid())
	if _, err := user.LookupId(uid); err != nil {
		return fmt.Errorf("user %s has no name in /etc/passwd, and ssh-keygen works for no such user: "+
			"run the tests as a user with a name", uid)
	}
	return nil
}
