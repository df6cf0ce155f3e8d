package main

// markMutants are faults in what pets the machine's watchdog and in the mark that says why a boot ended.
func markMutants() []mutant {
	turning := suite{packages: "./daemons/initd/supervise", run: "TestTurns|TestAKeptLock"}
	petting := suite{packages: "./daemons/initd/machine", run: "TestOnlyProgressPets|TestWhatGoesOn"}
	telling := suite{packages: "./daemons/initd/machine", run: "Mark|TestOneBootTellsTheNext"}
	return []mutant{
		{
			id:     "pet-whatever-stands",
			breaks: "a system in which a daemon's loop stands still does not pet its watchdog",
			file:   "daemons/initd/supervise/supervisor.go",
			old:    "\"waits_for\", c.spec.Name)\n\t\t\treturn false",
			new:    "\"waits_for\", c.spec.Name)\n\t\t\treturn true",
			tests:  turning,
		},
		{
			id:     "pet-never-again",
			breaks: "a loop that stood for a moment costs nothing",
			file:   "daemons/initd/machine/pet.go",
			old:    "\t\t\tcontinue // it was next already\n",
			new:    "\t\t\t<-ctx.Done()\n",
			tests:  petting,
		},
		{
			id:     "pet-without-the-lock",
			breaks: "a system whose lock is never given back does not pet its watchdog",
			file:   "daemons/initd/system.go",
			old:    "\ts.links.AwaitLock()\n",
			new:    "",
			tests:  suite{packages: "./daemons/initd", run: "TestAKeptLock"},
		},
		{
			id:     "pet-for-the-dead",
			breaks: "a daemon that has ended for good keeps nobody from petting",
			file:   "daemons/initd/supervise/supervisor.go",
			old:    "\t\tcase <-c.gone:\n",
			new:    "",
			tests:  turning,
		},
		{
			id:     "pet-after-the-end",
			breaks: "after the orderly end no mark is left over the one that says so",
			file:   "daemons/initd/machine/machine.go",
			old:    "\tif m.ended {\n\t\treturn nil\n\t}\n",
			new:    "",
			tests:  telling,
		},
		{
			id:     "hang-untold",
			breaks: "before the watchdog resets a machine that hangs, the mark says that it did",
			file:   "daemons/initd/machine/machine.go",
			old:    "\t\tm.leave(markHangs, last.petted)\n",
			new:    "",
			tests:  petting,
		},
		{
			id:     "mark-half-written",
			breaks: "a mark that was not written whole is not believed",
			file:   "daemons/initd/machine/mark.go",
			old:    "words[5] != markSum(words[:5]) || ",
			new:    "",
			tests:  telling,
		},
		{
			id:     "mark-of-before",
			breaks: "the newer of two marks counts",
			file:   "daemons/initd/machine/mark.go",
			old:    " || words[1] <= count {",
			new:    " {",
			tests:  telling,
		},
		{
			id:     "mark-over-the-newest",
			breaks: "a mark is written over the older copy, so that one is whole at every moment",
			file:   "daemons/initd/machine/mark.go",
			old:    "int(count%2)*markCopy+i",
			new:    "i",
			tests:  telling,
		},
	}
}
