package updatestest_test

import (
	"os"
	"testing"

	"nexus/libupdates/updatestest"
)

// The folder can be removed though parts of it were closed and moved; t.TempDir alone fails this test for an ordinary
// user.
func TestTempDirIsRemoved(t *testing.T) {
	var dir string
	t.Run("closes folders", func(t *testing.T) {
		dir = updatestest.TempDir(t)
		for _, err := range []error{
			os.MkdirAll(dir+"/sets/one/two", 0o755), os.WriteFile(dir+"/sets/one/two/file", nil, 0),
			os.Chmod(dir+"/sets/one/two", 0), os.Chmod(dir+"/sets/one", 0),
			os.Rename(dir+"/sets/one", dir+"/sets/one.aside"), os.Chmod(dir+"/sets", 0o500),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}
