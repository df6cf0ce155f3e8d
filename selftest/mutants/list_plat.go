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
			old:    "compile(rules, refuse(unix.EPERM)).install(0)",
			new:    "compile(rules, unix.SECCOMP_RET_ALLOW).install(0)",
			tests:  probe,
		},
		{
			id:     "plat-daemon-starts-others",
			breaks: "a daemon starts nothing",
			file:   "daemons/plat/settle.go",
			old:    "\tif !starter {\n",
			new:    "\tif starter {\n",
			tests:  probe,
		},
		{
			id:     "plat-starter-sees-others",
			breaks: "execd reads of /proc its own part only",
			file:   "daemons/plat/settle.go",
			old:    "\tif starter {\n",
			new:    "\tif false {\n",
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
			id:     "plat-first-thread-confined",
			breaks: "a starter stays who it is",
			file:   "daemons/plat/spawn.go",
			old:    "if unix.Gettid() != unix.Getpid() {",
			new:    "if true {",
			tests:  suite{packages: "./daemons/plat", run: "TestOwnThread|TestStarterStaysFree"},
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
