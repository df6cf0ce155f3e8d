package main

// watchMutants are faults in what may still happen to a set that was just confirmed.
func watchMutants() []mutant {
	record := suite{packages: "./libupdates/bootctl"}
	rule := suite{packages: "./libupdates/health"}
	flow := suite{packages: "./daemons/world", run: "Watch|Crash"}
	return []mutant{
		{
			id:     "watch-failure-stays",
			breaks: "a set that fails under watch is left",
			file:   "libupdates/bootctl/attempt.go",
			old:    "if r.WatchLeft > 0 && r.canReturn() == nil {",
			new:    "if false {",
			tests:  record,
		},
		{
			id:     "watch-begins-for-ever",
			breaks: "a system that begins anew again and again under watch goes back",
			file:   "libupdates/bootctl/attempt.go",
			old:    "case r.WatchLeft == 1 && r.canReturn() == nil:",
			new:    "case false:",
			tests:  record,
		},
		{
			id:     "watch-without-a-way-back",
			breaks: "a watch is only where there is a set to go back to",
			file:   "libupdates/bootctl/watch.go",
			old:    "if next.Slot(next.Active).IsEmpty() || next.canReturn() != nil {",
			new:    "if false {",
			tests:  record,
		},
		{
			id:     "watch-over-a-lost-set",
			breaks: "both sets of a watch are there",
			file:   "libupdates/bootctl/reconcile.go",
			old:    "\tr.WatchLeft = 0 // one of the two sets that a watch is about is gone\n",
			new:    "",
			tests:  record,
		},
		{
			id:     "watch-writes-the-active-slot",
			breaks: "a stage that began before a rollback does not write the slot that runs",
			file:   "libupdates/bootctl/watch.go",
			old:    "if slot != r.Standby() {",
			new:    "if false {",
			tests:  record,
		},
		{
			id:     "watch-left-set-not-quarantined",
			breaks: "a set that is left under watch does not come back by itself",
			file:   "libupdates/bootctl/watch.go",
			old:    "\tr.leave(left, reason, detail)\n",
			new:    "\t_, _, _ = left, reason, detail\n\tr.WatchLeft = 0\n\tr.Boot++\n",
			tests:  record,
		},
		{
			id:     "watch-blind-for-restarts",
			breaks: "a service that ends again and again is a crash loop",
			file:   "libupdates/health/watch.go",
			old:    "uint64(w.Restarts)+uint64(w.Lapses) > MaxRestarts",
			new:    "uint64(w.Lapses) > MaxRestarts",
			tests:  rule,
		},
		{
			id:     "watch-blind-for-lapses",
			breaks: "a service that becomes unhealthy counts as one that ended",
			file:   "libupdates/health/watch.go",
			old:    "uint64(w.Restarts)+uint64(w.Lapses) > MaxRestarts",
			new:    "uint64(w.Restarts) > MaxRestarts",
			tests:  rule,
		},
		{
			id:     "watch-asks-no-more",
			breaks: "a native service is asked as long as it runs",
			file:   "daemons/execd/native.go",
			old:    "\t\tpause := askEvery\n",
			new:    "\t\tpause := 1000 * askEvery\n",
			tests:  flow,
		},
		{
			id:     "watch-ends-unwell",
			breaks: "a watch ends well only with every service healthy",
			file:   "libupdates/health/watch.go",
			old:    "return Judge(nil, now, need, nil)",
			new:    "return Judge(nil, now[:0], 0, nil)",
			tests:  rule,
		},
		{
			id:     "watch-never-looks",
			breaks: "somebody looks at the services of a set under watch",
			file:   "libupdates/health/trial.go",
			old:    "\t\tif e.Watched {\n",
			new:    "\t\tif false {\n",
			tests:  rule,
		},
		{
			id:     "watch-outlives-a-stage",
			breaks: "the watch is over before the slot it goes back to is written",
			file:   "libupdates/updater/install.go",
			old:    "err != nil || now.WatchLeft == 0 {",
			new:    "err != nil || true {",
			tests:  suite{packages: "./libupdates/updater"},
		},
	}
}
