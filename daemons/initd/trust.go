package initd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"nexus/libupdates/trust"
)

// addTrust stores a public key, given as a file or as its text, for the role that it is given for. It is stored as bare
// hex, which earlier versions can read, too; the file's name says that it is public.
func (f *folder) addTrust(source string) error {
	role, key, err := trust.ReadTrusted(source)
	if err != nil {
		return fmt.Errorf("cannot trust %s: %w", trust.Shown(source), err)
	}
	return f.keepKey(role, key)
}

// keyFile returns the file name of a key.
func keyFile(role trust.Role, key trust.PublicKey) string {
	return path.Join(trustDir, string(role), key.String()+keySuffix)
}

func (f *folder) keepKey(role trust.Role, key trust.PublicKey) error {
	name := keyFile(role, key)
	if err := f.makeWay(name, 0); err != nil {
		return err
	}
	return f.keepBytes(name, []byte(key.String()+"\n"))
}

// dropKey removes the file of a key, durably.
func (f *folder) dropKey(role trust.Role, key trust.PublicKey) error {
	name := keyFile(role, key)
	if err := f.files.RemoveAll(name); err != nil {
		return err
	}
	return f.files.SyncDir(path.Dir(name))
}

// keyFiles returns the names of a role's key files.
func (f *folder) keyFiles(role trust.Role) ([]string, error) {
	names, err := f.files.ReadDir(path.Join(trustDir, string(role)))
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, keySuffix) }), err
}

// keySuffix ends the name of a key's file.
const keySuffix = ".pub"

// checkTrust checks that a key is trusted if there are sets: without one none can be verified, so nothing would run,
// through no fault of the sets.
func (f *folder) checkTrust() error {
	if keys, err := f.keyFiles(trust.RoleSystem); err != nil || len(keys) > 0 {
		return err
	}
	if names, err := f.files.ReadDir(rootsDir); err != nil || len(names) > 0 {
		return err // keystored uses the existing root
	}
	for _, name := range []string{"a", "b"} {
		if _, err := f.files.Kind(path.Join(systemDir, name)); err == nil {
			return cannotUse(f.at(systemKeys), "it holds no key, and without one no set can be verified",
				"give the publisher's key with --trust")
		}
	}
	return nil
}
