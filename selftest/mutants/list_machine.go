package main

// bootctlMutants are faults in the state machine and in the record of it.
func bootctlMutants() []mutant {
	tests := suite{packages: "./libupdates/bootctl"}
	return []mutant{
		{
			id:     "bootctl-forgets-quarantine",
			breaks: "a set that was rolled back does not come back by itself",
			file:   "libupdates/bootctl/rollback.go",
			old:    "\t\tr.quarantine(c, code)\n",
			new:    "",
			tests:  tests,
		},
		{
			id:     "bootctl-stale-commit",
			breaks: "only the verdict on the current attempt counts",
			file:   "libupdates/bootctl/attempt.go",
			old:    "if boot != r.Boot || !r.Begun() {",
			new:    "if !r.Begun() {",
			tests:  tests,
		},
		{
			id:     "bootctl-commit-before-attempt",
			breaks: "nothing is confirmed that has not run",
			file:   "libupdates/bootctl/attempt.go",
			old:    "if boot != r.Boot || !r.Begun() {",
			new:    "if boot != r.Boot {",
			tests:  tests,
		},
		{
			id:     "bootctl-no-try-counted",
			breaks: "what was not confirmed does not outlive its tries",
			file:   "libupdates/bootctl/attempt.go",
			old:    "\t\tnext.TriesLeft--\n",
			new:    "",
			tests:  tests,
		},
		{
			id:     "bootctl-commit-keeps-tries",
			breaks: "tries are counted only during a trial",
			file:   "libupdates/bootctl/attempt.go",
			old:    "next.Active, next.Pending, next.TriesLeft = r.Running(), None, 0",
			new:    "next.Active, next.Pending = r.Running(), None",
			tests:  tests,
		},
		{
			id:     "bootctl-switch-to-quarantined",
			breaks: "a quarantined set is never on trial",
			file:   "libupdates/bootctl/stage.go",
			old:    "if err := r.Admit(r.Slot(r.Staged)); err != nil {",
			new:    "if err := r.Admit(r.Slot(r.Staged)); false && err != nil {",
			tests:  tests,
		},
		{
			id:     "bootctl-stage-quarantined",
			breaks: "a quarantined set is never staged",
			file:   "libupdates/bootctl/stage.go",
			old:    "if r.IsQuarantined(c.Digest) {",
			new:    "if false && r.IsQuarantined(c.Digest) {",
			tests:  tests,
		},
		{
			id:     "bootctl-stage-during-trial",
			breaks: "the slot on trial is not written",
			file:   "libupdates/bootctl/stage.go",
			old:    "case r.Pending != None:",
			new:    "case false && r.Pending != None:",
			tests:  tests,
		},
		{
			id:     "bootctl-stale-switch",
			breaks: "only the stage that was verified last can be switched to, by who did it",
			file:   "libupdates/bootctl/stage.go",
			old:    "if r.Staged == None || serial != r.StageSerial {",
			new:    "if r.Staged == None {",
			tests:  tests,
		},
		{
			id:     "bootctl-staged-is-good",
			breaks: "an operator can return only to what was found healthy",
			file:   "libupdates/bootctl/stage.go",
			old:    "next.put(next.Staged, c.asFound())",
			new:    "c.Good = true\n\tnext.put(next.Staged, c)",
			tests:  tests,
		},
		{
			id:     "bootctl-return-to-anything",
			breaks: "an operator can return only to what was found healthy",
			file:   "libupdates/bootctl/rollback.go",
			old:    "case !back.Good:",
			new:    "case false && !back.Good:",
			tests:  tests,
		},
		{
			id:     "bootctl-rollback-keeps-number",
			breaks: "a verdict on the slot that was left is void",
			file:   "libupdates/bootctl/rollback.go",
			old:    "\tr.HealthOK, r.WatchLeft, r.AbruptEnds = false, 0, 0\n\tr.Boot++\n",
			new:    "\tr.HealthOK, r.WatchLeft, r.AbruptEnds = false, 0, 0\n",
			tests:  tests,
		},
		{
			id:     "bootctl-trial-of-another-set",
			breaks: "nothing is on trial that nobody switched to",
			file:   "libupdates/bootctl/reconcile.go",
			old:    "(is.IsEmpty() || slot == r.Active || slot == r.Pending)",
			new:    "(is.IsEmpty() || slot == r.Active)",
			tests:  tests,
		},
		{
			id:     "bootctl-commits-damage",
			breaks: "a slot in which damage was found is never confirmed",
			file:   "libupdates/bootctl/attempt.go",
			old:    "damage := r.Slot(r.Running()).Damage; damage != \"\" {",
			new:    "damage := r.Slot(r.Running()).Damage; false {",
			tests:  tests,
		},
		{
			id:     "bootctl-found-is-good",
			breaks: "what is found on the disk proves nothing",
			file:   "libupdates/bootctl/reconcile.go",
			old:    "r.put(slot, is.asFound())",
			new:    "r.put(slot, Content{Digest: is.Digest, Version: is.Version, Good: true})",
			tests:  tests,
		},
		{
			id:     "bootctl-newer-fields-lost",
			breaks: "an older version keeps what a newer one wrote",
			file:   "libupdates/bootctl/encode.go",
			old:    "if stored, err := open(r.stored); err == nil {",
			new:    "if stored, err := open(nil); err == nil {",
			tests:  tests,
		},
	}
}

// healthMutants are faults in the verdict.
func healthMutants() []mutant {
	tests := suite{packages: "./libupdates/health"}
	return []mutant{
		{
			id:     "health-waits-for-nobody",
			breaks: "a commit waits for every daemon, service and vote",
			file:   "libupdates/health/judge.go",
			old:    "finding.failed, finding.waitsExcused, finding.waits}",
			new:    "finding.failed}",
			tests:  tests,
		},
		{
			id:     "health-no-deadline",
			breaks: "who is not healthy in time has failed",
			file:   "libupdates/health/judge.go",
			old:    "if v.Outcome != Waiting {",
			new:    "if v.Outcome != Failed+1 {",
			tests:  tests,
		},
	}
}
