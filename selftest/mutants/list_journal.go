package main

// journalMutants are faults in the journal, and in what is said of a failure.
func journalMutants() []mutant {
	return []mutant{
		{
			id:     "journal-flood-takes-all",
			breaks: "a sender that floods the journal loses its own records",
			file:   "daemons/logd/ring.go",
			old:    "q.bytes > most.bytes ||",
			new:    "q.bytes < most.bytes ||",
			tests:  suite{packages: "./daemons/logd", run: "Flood"},
		},
		{
			id:     "journal-forgets",
			breaks: "what was said before a restart is there after it",
			file:   "daemons/logd/archive.go",
			old:    "a.ledger.takeUp(records)",
			new:    "a.ledger.takeUp(nil)",
			tests:  suite{packages: "./daemons/logd", run: "Outlives"},
		},
		{
			id:     "journal-no-place-for-control",
			breaks: "there is a place for control, however many follow the log",
			file:   "daemons/initd/control.go",
			old:    "if len(c.kept) < keptPlaces || c.evictKept(now) {",
			new:    "if c.evictKept(now) {",
			tests:  suite{packages: "./daemons/initd", run: "Places"},
		},
		{
			id:     "journal-words-are-lost",
			breaks: "a rollback keeps what the failed service wrote",
			file:   "libupdates/bootctl/rollback.go",
			old:    "next.LastRollback.Output = lastLines(output)",
			new:    "",
			tests:  suite{packages: "./libupdates/bootctl", run: "Explain"},
		},
	}
}
