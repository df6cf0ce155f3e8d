package main

// coreMutants are faults in how one core hands over to the next.
func coreMutants() []mutant {
	world := suite{packages: "./daemons/world", run: "Core|Image"}
	return []mutant{
		{
			id:     "core-unproven",
			breaks: "no daemon alone puts a program in the place of the first process",
			file:   "daemons/initd/core.go",
			old:    "nxs.VerifyIndex(raw, signature, l.verifyBy(ctx))",
			new:    "nxs.ParseIndex(raw)",
			tests:  suite{packages: "./daemons/initd", run: "TestACoreIsProven"},
		},
		{
			id:     "core-attempt-counted-twice",
			breaks: "an attempt that was counted for the next core is not counted again",
			file:   "libupdates/updater/attempt.go",
			old:    "e.Record().Attempt(begun); underWay {",
			new:    "e.Record().Attempt(begun); underWay && false {",
			tests:  world,
		},
		{
			id:     "core-too-early",
			breaks: "nothing of a set runs before its core has taken over",
			file:   "libupdates/updater/attempt.go",
			old:    "\tif e.handOver(a.Slot) != NoHandOver {\n\t\treturn nil\n\t}\n",
			new:    "",
			tests:  world,
		},
		{
			id:     "core-resumed-too-early",
			breaks: "nothing of a set runs before its core has taken over, also where updated died in between",
			file:   "libupdates/updater/attempt.go",
			old:    "if !r.Begun() || e.handOver(r.Running()) != NoHandOver {",
			new:    "if !r.Begun() {",
			tests:  suite{packages: "./libupdates/updater", run: "Core"},
		},
		{
			id:     "core-for-any-machine",
			breaks: "a core that cannot run here is never switched to",
			file:   "daemons/bundlemgrd/open.go",
			old:    "if !b.Manifest.IsService() && b.Entry.Name != nxs.CoreName {",
			new:    "if _ = nxs.CoreName; !b.Manifest.IsService() {",
			tests:  world,
		},
		{
			id:     "core-never-given-back",
			breaks: "a set without a core runs on the core of the image",
			file:   "libupdates/updater/core.go",
			old:    "case !carried && !e.cfg.Core.IsZero():",
			new:    "case false:",
			tests:  world,
		},
		{
			id:     "core-over-an-order",
			breaks: "a system that was told to stop does not go on under another core",
			file:   "daemons/initd/ending.go",
			old:    "if e.next == nil || e.decided || ctx.Err() != nil {",
			new:    "if e.next == nil || ctx.Err() != nil {",
			tests:  suite{packages: "./daemons/initd", run: "TestAnOrderToStop"},
		},
		{
			id:     "core-order-lost",
			breaks: "nobody is told that a system stops which goes on",
			file:   "daemons/initd/ending.go",
			old:    "\tcase e.gone:\n\t\treturn outcome{}, errGoingOn\n",
			new:    "",
			tests:  suite{packages: "./daemons/initd", run: "TestAnOrderToStop"},
		},
		{
			id:     "core-session-lost",
			breaks: "an operator's session goes on under the next core",
			file:   "nx/cli/follow.go",
			old:    "\t\t\terr = s.comeBack(ctx)\n",
			new:    "",
			tests:  suite{packages: "./nx/cli", run: "UnderAnotherCore"},
		},
	}
}
