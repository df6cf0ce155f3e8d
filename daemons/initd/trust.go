package initd

import (
	"fmt"
	"os"

	"nexus/libupdates/durable"
	"nexus/libupdates/trust"
)

// addTrust keeps a public key, given as a file or as its text, for the role system. It is kept as bare hex, which
// earlier versions of this system can read as well: the file's name says that it is public.
func (f *folder) addTrust(source string) error {
	key, err := trust.ReadPublicKey(source)
	if err != nil {
		return fmt.Errorf("cannot trust %s: %w", trust.Shown(source), err)
	}
	root, err := os.OpenRoot(f.at("trust/system"))
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.WriteFile(durable.OS(root), key.String()+".pub", []byte(key.String()+"\n"))
}
