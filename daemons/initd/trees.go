package initd

import (
	"os"

	"nexus/daemons/logclient"
	"nexus/daemons/plat"
)

// treesDir is where execd unpacks the trees of data bundles, in the system's folder.
const treesDir = "trees"

// A treeView shows programs the trees of data bundles.
type treeView struct {
	dir    *os.File
	path   string // where programs find it
	mounts bool   // it is mounted there
	log    *logclient.Log
}

// openTrees prepares what programs see. What the core before has mounted stays.
func openTrees(dir *os.File, c Config, log *logclient.Log) *treeView {
	t := &treeView{dir: dir, path: c.view(treesDir, ".trees"), mounts: plat.CanMount(), log: log} // no bundle's name
	if !c.Handed.Given() {
		t.end()
	}
	return t
}

// missing tells why programs cannot be shown trees; empty: they can.
func (t *treeView) missing() string {
	switch {
	case t.path == "":
		return "this system's folder has no path"
	case !t.mounts && plat.MaySetUsers():
		return "this system may give programs users of their own, but not mount what they may see"
	}
	return ""
}

// show returns the path at which programs find the trees. Nobody writes there.
func (t *treeView) show() (string, error) {
	if !t.mounts {
		return t.path, nil
	}
	return t.path, plat.Bind(t.dir, t.path, plat.ReadOnly)
}

// end takes away what programs see; none runs any more.
func (t *treeView) end() {
	if !t.mounts {
		return
	}
	if err := plat.Detach(t.path); err != nil {
		t.log.Warn("data of bundles stays mounted", "error", err)
		return
	}
	os.Remove(t.path)
}
