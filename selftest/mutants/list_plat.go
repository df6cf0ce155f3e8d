package main

// platMutants are faults in what confines processes.
func platMutants() []mutant {
	probe := suite{packages: "./selftest/probe", run: "TestNothingGetsThrough"}
	return []mutant{
		{
			id:     "plat-paths-open",
			breaks: "no process opens by path what its row does not name",
			file:   "daemons/plat/landlock.go",
			old:    "\treturn ll.LandlockRestrictSelf(ruleset, 0)\n",
			new:    "\treturn nil\n",
			tests:  probe,
		},
		{
			id:     "plat-calls-open",
			breaks: "no process makes a call that is not in its set",
			file:   "daemons/plat/confine.go",
			old:    "compile(rules, refuse(unix.EPERM)).install()",
			new:    "compile(rules, unix.SECCOMP_RET_ALLOW).install()",
			tests:  probe,
		},
		{
			id:     "plat-daemon-starts-others",
			breaks: "a daemon starts nothing",
			file:   "daemons/plat/settle.go",
			old:    "\tif !seccompWorks() || starter {\n",
			new:    "\tif true {\n",
			tests:  probe,
		},
		{
			id:     "plat-threads-of-others",
			breaks: "a process signals no thread of another",
			file:   "daemons/plat/calls.go",
			old:    "when: []condition{{0, whole, []uint32{pid}}}",
			new:    "when: []condition{{0, 0, []uint32{0}}}",
			tests:  probe,
		},
		{
			id:     "plat-signals-beyond",
			breaks: "a process signals only what it starts",
			file:   "daemons/plat/landlock.go",
			old:    "ll.ScopeAbstractUnixSocket | ll.ScopeSignal",
			new:    "ll.ScopeAbstractUnixSocket",
			tests:  probe,
		},
		{
			id:     "plat-namespaces-open",
			breaks: "no process makes a namespace",
			file:   "daemons/plat/calls.go",
			old:    "when: []condition{{0, namespaces, []uint32{0}}}",
			new:    "when: []condition{{0, 0, []uint32{0}}}",
			tests:  probe,
		},
		{
			id:     "plat-group-left",
			breaks: "nothing leaves the process group of its program",
			file:   "daemons/plat/calls.go",
			old:    "{number: unix.SYS_SETSID, pretend: true}",
			new:    "{number: unix.SYS_SETSID}",
			tests:  suite{packages: "./daemons/plat", run: "TestNothingOutlivesItsProgram"},
		},
		{
			id:     "plat-group-outlives",
			breaks: "what a program leaves in its process group ends with it",
			file:   "daemons/plat/reap.go",
			old:    "\t\tunix.Kill(-pid, unix.SIGKILL)\n",
			new:    "",
			tests:  suite{packages: "./daemons/plat", run: "TestNothingOutlivesItsProgram"},
		},
		{
			id:     "plat-stopped-for-ever",
			breaks: "a daemon that was stopped ends with the first process all the same",
			file:   "daemons/plat/spawn.go",
			old:    "\t\treturn syscall.SIGCONT\n",
			new:    "\t\treturn 0\n",
			tests:  suite{packages: "./daemons/plat", run: "TestStoppedProgramGoesOn"},
		},
		{
			id:     "plat-starter-outlived",
			breaks: "a program does not outlive its starter",
			file:   "daemons/plat/order.go",
			old:    "ParentsEnd: cmd.parentsEnd(), ",
			new:    "",
			// as root: becoming another user undoes it
			tests: suite{packages: "./daemons/plat", run: "TestProgramDiesWithItsStarter"},
		},
		{
			id:     "plat-users-collide",
			breaks: "each bundle of a set has a user of its own",
			file:   "daemons/plat/users.go",
			old:    "\t\tfor taken[place] {\n",
			new:    "\t\tfor false {\n",
			tests:  suite{packages: "./daemons/plat", run: "TestPayloadUsers"},
		},
	}
}
