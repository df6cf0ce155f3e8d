// Package early has the program that imports it be the stage (plat.Stage) when it is started as that, before packages
// that the stage does not need are initialized: that is most of the time of so short a run. Packages are initialized in
// the order of their paths, each after those that it imports (Go's specification, "Program initialization"). So this
// one comes before the client of registries, whose regular expressions take a fifth of a start.
package early

import "nexus/daemons/plat"

func init() { plat.Stage() }
