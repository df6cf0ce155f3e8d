package main

// updatedMutants are faults in the owner of the record.
func updatedMutants() []mutant {
	flow := suite{packages: "./daemons/world", run: "TestCommit|TestRollback$|TestStag|TestNothing|TestWrong"}
	return []mutant{
		{
			id:     "updated-sink-drop-ignored",
			breaks: "dropping a sink before the end discards the stage",
			file:   "libupdates/updater/stage.go",
			old:    "\tif !sent {\n\t\ts.cancel(refusal.New(refusal.Cancelled,",
			new:    "\tif false && !sent {\n\t\ts.cancel(refusal.New(refusal.Cancelled,",
			tests:  suite{packages: "./libupdates/updater", run: "TestADropped"},
		},
		{
			id:     "updated-any-ticket-will-do",
			breaks: "a file is taken with the ticket of the stage that waits for it, and with no other",
			file:   "libupdates/updater/arrival.go",
			old:    "subtle.ConstantTimeCompare(raw, s.ticket) != 1",
			new:    "subtle.ConstantTimeCompare(raw, s.ticket) > 1",
			tests:  suite{packages: "./libupdates/updater", run: "TestAFileIsTaken"},
		},
		{
			id:     "initd-takes-any-descriptor",
			breaks: "what may make its reader wait is not taken",
			file:   "daemons/initd/handfile.go",
			old:    "\tif err := plat.CheckHanded(file); err != nil {",
			new:    "\tif err := plat.CheckHanded(file); false && err != nil {",
			tests:  suite{packages: "./daemons/world", run: "TestOnlyFiles"},
		},
		{
			id:     "updated-waits-for-a-file-for-ever",
			breaks: "a file that does not come ends the stage",
			file:   "libupdates/updater/arrival.go",
			old:    "return s.way == byFile || s.way == byWrite && s.done",
			new:    "return s.way == byFile || s.done",
			tests:  suite{packages: "./libupdates/updater", run: "TestASlowSender"},
		},
		{
			id:     "updated-stall-ignored",
			breaks: "a sender that stalls does not hold the slot for ever",
			file:   "libupdates/updater/stall.go",
			old:    "s.cancel(refusal.New(refusal.Stalled, \"%d bytes came",
			new:    "_ = (refusal.New(refusal.Stalled, \"%d bytes came",
			tests:  suite{packages: "./libupdates/updater", run: "TestASlowSender"},
		},
		{
			id:     "updated-visible-before-durable",
			breaks: "a step is durable before anyone sees it",
			file:   "libupdates/updater/engine.go",
			old:    "\tif err := e.save(next); err != nil {\n\t\treturn err\n\t}\n\te.show(next)\n",
			new:    "\te.show(next)\n\tif err := e.save(next); err != nil {\n\t\treturn err\n\t}\n",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-save-error-ignored",
			breaks: "a step whose record cannot be written has not happened",
			file:   "libupdates/updater/engine.go",
			old:    "\tif err := e.save(next); err != nil {\n\t\treturn err\n\t}\n\te.show(next)\n",
			new:    "\te.save(next)\n\te.show(next)\n",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-active-not-kept",
			breaks: "the slot that was confirmed last outlives the record",
			file:   "libupdates/updater/engine.go",
			old:    "if err := e.store.SetActive(r.Active); err != nil {",
			new:    "if err := error(nil); err != nil {",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-publish-unverified",
			breaks: "what was not verified never runs",
			file:   "libupdates/updater/attempt.go",
			old:    "if err := e.verify(ctx, a.Slot); err != nil {",
			new:    "if err := error(nil); err != nil {",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-runs-what-is-barred",
			breaks: "quarantine and version floor hold at an attempt",
			file:   "libupdates/updater/attempt.go",
			old:    "if err := r.MayRun(a.Slot); err != nil {",
			new:    "if err := error(nil); err != nil {",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-no-look-back",
			breaks: "no set is left for one that is not there any more",
			file:   "libupdates/updater/damage.go",
			old:    "return e.inspect(ctx, r.Running().Other())",
			new:    "_ = r\n\treturn nil",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-admits-quarantined",
			breaks: "a set that is refused by its digest writes nothing",
			file:   "libupdates/updater/install.go",
			old:    "_, err := e.Record().Receive(slot, set)",
			new:    "var err error",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-two-stages",
			breaks: "one at a time writes the standby slot",
			file:   "libupdates/updater/place.go",
			old:    "\tif e.isStaging() {\n",
			new:    "\tif false && e.isStaging() {\n",
			tests:  suite{packages: "./libupdates/updater"},
		},
		{
			id:     "updated-switch-unasked",
			breaks: "what could not run here is not switched to",
			file:   "libupdates/updater/staged.go",
			old:    "\terr := e.runnable(ctx, r, serial)\n",
			new:    "\terr := error(nil)\n",
			tests:  flow,
		},
		{
			id:     "updated-stage-during-trial",
			breaks: "a stage during a trial is refused before its first byte",
			file:   "libupdates/updater/place.go",
			old:    "\tcase r.Pending != bootctl.None:\n",
			new:    "\tcase false && r.Pending != bootctl.None:\n",
			tests:  suite{packages: "./libupdates/updater"},
		},
	}
}

// bundlemgrdMutants are faults in what is published.
func bundlemgrdMutants() []mutant {
	tests := suite{packages: "./daemons/bundlemgrd"}
	return []mutant{
		{
			id:     "bundlemgrd-late-publication",
			breaks: "an attempt that is over cannot publish",
			file:   "daemons/bundlemgrd/publisher.go",
			old:    "if boot < now.boot {",
			new:    "if false && boot < now.boot {",
			tests:  tests,
		},
		{
			id:     "bundlemgrd-any-machine",
			breaks: "a service that is no program for this machine is not published",
			file:   "daemons/bundlemgrd/open.go",
			old:    "payload.Size(), plat.Machine()); err != nil {",
			new:    "payload.Size(), plat.Machine()); err != nil && false {",
			tests:  tests,
		},
		{
			id:     "bundlemgrd-empty-unchecked",
			breaks: "only what the record names is published",
			file:   "daemons/bundlemgrd/open.go",
			old:    "return p, checkEmpty(files, slot)",
			new:    "return p, nil",
			tests:  tests,
		},
		{
			id:     "bundlemgrd-no-quota",
			breaks: "a client has a bounded number of open blobs",
			file:   "daemons/vat/quota.go",
			old:    "if q.used.Add(1) > q.limit {",
			new:    "if q.used.Add(1) > q.limit+1 {",
			tests:  tests,
		},
		{
			id:     "bundlemgrd-unbounded-read",
			breaks: "an answer has a bounded size",
			file:   "daemons/blob/blob.go",
			old:    "min(uint64(count), uint64(bundle.MaxReadBytes), size-offset)",
			new:    "min(uint64(count), size-offset)",
			tests:  tests,
		},
	}
}

// initdMutants are faults in who decides, and who may do what.
func initdMutants() []mutant {
	return []mutant{
		{
			id:     "initd-commit-without-vote",
			breaks: "a commit waits for every vote",
			file:   "daemons/initd/ballot.go",
			old:    "case b.voter == \"\":",
			new:    "case true:",
			tests:  suite{packages: "./daemons/initd"},
		},
		{
			id:     "initd-vote-on-another-boot",
			breaks: "a vote counts for the attempt it was cast on",
			file:   "libupdates/health/gather.go",
			old:    "if v.Boot != t.at.Boot && v.Choice != Gone {",
			new:    "if false {",
			tests:  suite{packages: "./libupdates/health"},
		},
		{
			id:     "initd-dead-voter-forgotten",
			breaks: "a voter that ends has voted no",
			file:   "daemons/initd/ballot.go",
			old:    "case b.gone:",
			new:    "case false && b.gone:",
			tests:  suite{packages: "./daemons/initd"},
		},
		{
			id:     "initd-no-deadline",
			breaks: "a trial without a verdict ends at the deadline",
			file:   "libupdates/health/gather.go",
			old:    "case t.time.booked >= t.at.Policy.Deadline:",
			new:    "case false:",
			tests:  suite{packages: "./libupdates/health"},
		},
		{
			id:     "initd-standstill-counts",
			breaks: "time that the machine stood still for is nobody's",
			file:   "daemons/plat/running.go",
			old:    "min(max(now.Sub(m.last), 0), maxLap)",
			new:    "max(now.Sub(m.last), 0)",
			tests:  suite{packages: "./daemons/plat", run: "Standstill"},
		},
		{
			id:     "initd-silence-is-the-sets",
			breaks: "what execd does not answer for is not the set's time",
			file:   "libupdates/health/stretch.go",
			old:    "if s.pending > quiet {\n\t\ts.absent",
			new:    "if false {\n\t\ts.absent",
			tests:  suite{packages: "./libupdates/health"},
		},
		{
			id:     "initd-silence-has-no-end",
			breaks: "a trial ends though execd never answers",
			file:   "libupdates/health/gather.go",
			old:    "case t.time.missing() >= t.hang+t.at.Policy.Deadline:",
			new:    "case false:",
			tests:  suite{packages: "./libupdates/health"},
		},
		{
			id:     "initd-service-ignored",
			breaks: "a slot with an unhealthy service is not confirmed",
			file:   "libupdates/health/gather.go",
			old:    "t.well = t.well || services.Outcome == OK",
			new:    "t.well = t.well || services.Outcome != Waiting",
			tests:  suite{packages: "./libupdates/health"},
		},
		{
			id:     "initd-gate-handed-out",
			breaks: "only initd holds HealthGate",
			file:   "daemons/initd/table.go",
			old:    "\t\t\t\t{Facet: \"HealthVote\", From: initName},\n",
			new:    "\t\t\t\t{Facet: \"HealthVote\", From: initName},\n\t\t\t\t{Facet: \"HealthGate\", From: \"updated\"},\n",
			tests:  suite{packages: "./daemons/initd"},
		},
		{
			id:     "samgrd-any-name",
			breaks: "no name is reachable unless the table says so",
			file:   "daemons/samgrd/grant.go",
			old:    "granted := slices.Contains(g, name) ||",
			new:    "granted := len(g) > 0 ||",
			tests:  suite{packages: "./daemons/samgrd"},
		},
		{
			id:     "samgrd-excepts-nothing",
			breaks: "a bundle that was revoked is not to be had by a pattern",
			file:   "daemons/samgrd/grant.go",
			old:    "both := append(g.exceptions(), wanted.exceptions()...)",
			new:    "var both grant",
			tests:  suite{packages: "./daemons/samgrd"},
		},
	}
}

// keystoredMutants are faults in which keys are read.
func keystoredMutants() []mutant {
	tests := suite{packages: "./daemons/keystored"}
	return []mutant{
		{
			id:     "keystored-one-role-for-all",
			breaks: "a verifier is good for one role",
			file:   "daemons/keystored/server.go",
			old:    "return v.keys.now.Load().Verify(v.role, message, signature)",
			new:    "return v.keys.now.Load().Verify(trust.RoleSystem, message, signature)",
			tests:  tests,
		},
		{
			id:     "keystored-any-file-name",
			breaks: "who looks at the folder sees what is trusted",
			file:   "daemons/keystored/load.go",
			old:    "; entry.Name() != want {",
			new:    "; false && entry.Name() != want {",
			tests:  tests,
		},
		{
			id:     "keystored-too-many-keys",
			breaks: "which keys are trusted does not depend on their order",
			file:   "daemons/keystored/load.go",
			old:    "if len(entries) > maxEntries {",
			new:    "if false && len(entries) > maxEntries {",
			tests:  tests,
		},
	}
}

// execdMutants are faults in what is run, and how.
func execdMutants() []mutant {
	return []mutant{
		{
			id:     "execd-any-architecture",
			breaks: "only programs for this machine are started",
			file:   "daemons/blob/load.go",
			old:    "return nxb.CheckELF(payload, entry.PayloadSize, plat.Machine())",
			new:    "_, _ = nxb.CheckELF, plat.Machine\n\treturn nil",
			tests:  suite{packages: "./daemons/execd"},
		},
		{
			id:     "execd-digest-ignored",
			breaks: "what runs has the signed digest, checked where it cannot change any more",
			file:   "daemons/blob/load.go",
			old:    "if got != entry.PayloadSHA256 {",
			new:    "if false && got != entry.PayloadSHA256 {",
			tests:  suite{packages: "./daemons/execd"},
		},
		{
			id:     "execd-exit-is-healthy",
			breaks: "a service that ended is not healthy",
			file:   "daemons/execd/service.go",
			old:    "\ts.fail(health.Exited, detail)\n",
			new:    "\ts.fail(health.Healthy, detail)\n",
			tests:  suite{packages: "./daemons/world", run: "TestRollback$"},
		},
		{
			id:     "execd-waits-for-the-stuck",
			breaks: "what the kernel does not end holds up nobody",
			file:   "daemons/execd/end.go",
			old:    "\tif within(s.host.Clock, killPatience, p.process.Gone()) {\n",
			new:    "\tif <-p.process.Gone(); true {\n",
			tests:  suite{packages: "./daemons/world", run: "TestWhatCannotBeKilled"},
		},
	}
}
