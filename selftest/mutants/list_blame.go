package main

// blameMutants are faults in whose fault it is that a trial fails.
func blameMutants() []mutant {
	record := suite{packages: "./libupdates/bootctl", run: "TestBlame"}
	rule := suite{packages: "./libupdates/health"}
	flow := suite{packages: "./daemons/world", run: "Hindered|AfterRevoke"}
	return []mutant{
		{
			id:     "blame-everything",
			breaks: "what is not the set's fault does not quarantine it",
			file:   "libupdates/bootctl/rollback.go",
			old:    "\tatFault := !charges[code].blameless && c.Damage == \"\"\n",
			new:    "\tatFault := c.Damage == \"\"\n",
			tests:  record,
		},
		{
			id:     "blame-tries",
			breaks: "a reason that is final ends the trial though a try is left",
			file:   "libupdates/bootctl/attempt.go",
			old:    "r.TriesLeft > 0 && !charges[reason].final {",
			new:    "r.TriesLeft > 0 {",
			tests:  record,
		},
		{
			id:     "blame-at-the-deadline",
			breaks: "a service that could not be started is no time-out",
			file:   "libupdates/health/judge.go",
			old:    "cmp.Or(v.Reason, refusal.HealthTimeout)",
			new:    "cmp.Or(refusal.HealthTimeout, v.Reason)",
			tests:  rule,
		},
		{
			id:     "blame-despite-revoke",
			breaks: "what fails after an operator revoked something is not the set's fault",
			file:   "libupdates/health/excuse.go",
			old:    "\tcase t.seen.Revoked.Count != t.revoked:\n",
			new:    "\tcase false:\n",
			tests:  rule,
		},
		{
			id:     "blame-for-a-limit",
			breaks: "what fails on a machine that hinders services is not the set's fault",
			file:   "libupdates/health/excuse.go",
			old:    "\tcase t.seen.Hindrance != \"\":\n",
			new:    "\tcase false:\n",
			tests:  rule,
		},
		{
			id:     "blame-for-the-start",
			breaks: "a start that the machine refuses is not the program's fault",
			file:   "daemons/execd/hindrance.go",
			old:    "\treturn health.Hindered\n",
			new:    "\treturn health.StartFailed\n",
			tests:  flow,
		},
		{
			id:     "blame-revoke-unseen",
			breaks: "the trial knows what was revoked",
			file:   "daemons/initd/links/links.go",
			old:    "\tif len(fresh) > 0 && l.revoked != nil {\n",
			new:    "\tif false {\n",
			tests:  flow,
		},
		{
			id:     "blame-processor",
			breaks: "a service that waits for a processor has not run",
			file:   "daemons/initd/processor.go",
			old:    "\t\tif !one.proven {\n",
			new:    "\t\tif false {\n",
			tests:  suite{packages: "./daemons/initd", run: "TestProcessor"},
		},
		{
			id:     "hindered-switch",
			breaks: "no trial begins on a machine that can start no service",
			file:   "libupdates/updater/staged.go",
			old:    "\tif e.cfg.Hindered != \"\" {\n",
			new:    "\tif false {\n",
			tests:  suite{packages: "./libupdates/updater", run: "TestHinderedSwitch"},
		},
	}
}
