package initd

import (
	"fmt"
	"io"
	"os"

	"nexus/libupdates/durable"
	"nexus/libupdates/trust"
)

// maxKeyText bounds a public key file.
const maxKeyText = 4096

// addTrust keeps a public key, given as a file or as its text, for the role system.
func (f *folder) addTrust(source string) error {
	text := []byte(source)
	if file, err := os.Open(source); err == nil {
		defer file.Close()
		if text, err = io.ReadAll(io.LimitReader(file, maxKeyText)); err != nil {
			return fmt.Errorf("cannot read key %s: %w", source, err)
		}
	}
	key, err := trust.ParsePublicKey(text)
	if err != nil {
		return fmt.Errorf("cannot trust %s: %w", source, err)
	}
	root, err := os.OpenRoot(f.at("trust/system"))
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.WriteFile(durable.OS(root), key.String()+".pub", []byte(key.String()+"\n"))
}
