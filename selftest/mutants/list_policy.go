package main

// policyMutants are faults in what a signed set asks of its trial.
func policyMutants() []mutant {
	rule := suite{packages: "./libupdates/health"}
	index := suite{packages: "./libupdates/nxs", run: "Health|Hostile|Index"}
	flow := suite{packages: "./daemons/world", run: "Quorum|Stricter|Longer|Optional"}
	return []mutant{
		{
			id:     "policy-quorum-of-all",
			breaks: "only those count for the quorum that are healthy",
			file:   "libupdates/health/quorum.go",
			old:    "case well >= need:",
			new:    "case all >= need:",
			tests:  rule,
		},
		{
			id:     "policy-quorum-waits",
			breaks: "a quorum that cannot be reached fails at once",
			file:   "libupdates/health/quorum.go",
			old:    "case all-failed < need:",
			new:    "case all < need:",
			tests:  rule,
		},
		{
			id:     "policy-optional-loop-forgiven",
			breaks: "optional services in a crash loop are missed when they are needed",
			file:   "libupdates/health/watch.go",
			old:    "\t\t\tspare--\n",
			new:    "",
			tests:  rule,
		},
		{
			id:     "policy-unreachable-quorum",
			breaks: "an index cannot ask for more than there is",
			file:   "libupdates/nxs/health.go",
			old:    "case h.Quorum < 0 || h.Quorum > optional:",
			new:    "case h.Quorum < 0:",
			tests:  index,
		},
		{
			id:     "policy-set-has-more-time",
			breaks: "a set never has more time than the device allows",
			file:   "libupdates/health/policy.go",
			old:    "p.Deadline = min(p.Deadline, deadline)",
			new:    "p.Deadline = deadline",
			tests:  flow,
		},
		{
			id:     "policy-set-is-not-heard",
			breaks: "the deadline of the set is handed on",
			file:   "daemons/updated/gate.go",
			old:    "a.SetDeadlineMs(uint32(attempt.Health.Deadline / time.Millisecond))",
			new:    "",
			tests:  flow,
		},
		{
			id:     "policy-quorum-is-not-published",
			breaks: "the quorum of the set is handed on",
			file:   "daemons/bundlemgrd/publication.go",
			old:    "m.SetQuorum(uint16(p.set.Index.Health.Quorum))",
			new:    "",
			tests:  flow,
		},
	}
}
