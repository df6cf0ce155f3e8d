package main

// vatMutants are faults in the plumbing.
func vatMutants() []mutant {
	return []mutant{
		{
			id:     "vat-huge-message",
			breaks: "a peer cannot make a process hold a message over 4 MiB",
			file:   "daemons/vat/guard/frame.go",
			old:    "if len(f.header)+f.total > MaxMessage {",
			new:    "if len(f.header)+f.total > 64*MaxMessage {",
			tests:  suite{packages: "./daemons/vat/guard"},
		},
		{
			id:     "vat-endless-pointers",
			breaks: "a small message cannot unfold into much work",
			file:   "daemons/vat/guard/wire.go",
			old:    "if c.taken[at/64]&mask != 0 {",
			new:    "if false {",
			tests:  suite{packages: "./daemons/vat/guard"},
		},
		{
			id:     "vat-name-is-the-facet",
			breaks: "a client's name is what initd said, and cannot be chosen",
			file:   "daemons/vat/endowments.go",
			old:    "a := arrival{Client{Name: e.Peer, Grants: e.Grants}, e.Link, socket}",
			new:    "a := arrival{Client{Name: e.Name, Grants: e.Grants}, e.Link, socket}",
			tests:  suite{packages: "./daemons/vat"},
		},
		{
			id:     "initd-link-stays-ended",
			breaks: "a link that ends between two living daemons is made again",
			file:   "daemons/initd/links/heal.go",
			old:    "case it == nil || it.number != ended.Link || it.healed:",
			new:    "case it == nil || it.number == ended.Link || it.healed:",
			tests:  suite{packages: "./daemons/world"},
		},
		{
			id:     "initd-links-what-samgrd-says",
			breaks: "samgrd can have made only links that the authority table grants",
			file:   "daemons/initd/links/introduce.go",
			old:    "!f.rights.mayFind(client, name) || ",
			new:    "",
			tests:  suite{packages: "./daemons/initd/links"},
		},
		{
			id:     "initd-links-what-execd-says",
			breaks: "execd can have bundles linked only with what it may look up itself",
			file:   "daemons/initd/links/introduce.go",
			old:    "|| f.rights.withheld(bundleMark+bundle, edge) {",
			new:    "|| edge.From == \"\" {",
			tests:  suite{packages: "./daemons/initd/links"},
		},
		{
			id:     "vat-answers-for-the-deadlocked",
			breaks: "a daemon that can do no work gives no sign of life",
			file:   "daemons/vat/liveness.go",
			old:    "	case onPing == nil:",
			new:    "	case onPing == nil || busy || !busy:",
			tests:  suite{packages: "./daemons/vat", run: "Deadlocked"},
		},
		{
			id:     "packagefsd-lives-by-bundlemgrd",
			breaks: "a daemon is alive though another one that it asks is not",
			file:   "daemons/packagefsd/run.go",
			old:    "return p.SetPath(\".\")",
			new:    "return p.SetPath(\"a\")",
			tests:  suite{packages: "./daemons/packagefsd", run: "Alive"},
		},
		{
			id:     "initd-waits-for-the-stopped",
			breaks: "a daemon that takes nothing holds up nobody, and is killed for it",
			file:   "daemons/vat/outbox.go",
			old:    "		close(o.stuffed)\n",
			new:    "",
			tests:  suite{packages: "./daemons/initd/links", run: "Stopped"},
		},
		{
			id:     "initd-revoked-bundles-keep-links",
			breaks: "what is taken from execd is taken from the bundles that found it by its right",
			file:   "daemons/initd/links/rights.go",
			old:    "return !byRunner || found && !r.mayFind(Runner, name)",
			new:    "return !byRunner && found && name == \"\"",
			tests:  suite{packages: "./daemons/world", run: "Revoked"},
		},
		{
			id:     "execd-links-nobody",
			breaks: "a bundle's calls pass through nobody",
			file:   "daemons/execd/introduce.go",
			old:    "if taken, err := m.program.links.wanted(ctx); !taken {\n\t\treturn err\n\t}",
			new:    "if true {\n\t\treturn nil\n\t}",
			tests:  suite{packages: "./daemons/world", run: "Linked"},
		},
		{
			id:     "initd-revoked-until-a-restart",
			breaks: "what was revoked stays so when its provider restarts",
			file:   "daemons/initd/links/fabric.go",
			old:    " || f.rights.withheld(holder, edge)",
			new:    "",
			tests:  suite{packages: "./daemons/world"},
		},
		{
			id:     "initd-answers-are-not-heard",
			breaks: "a daemon that gives a sign of life is let be",
			file:   "daemons/initd/supervise/watchdog.go",
			old:    "func (w *watchdog) answered() { w.asked = 0 }",
			new:    "func (w *watchdog) answered() {}",
			tests:  suite{packages: "./daemons/initd/supervise"},
		},
		{
			id:     "vat-no-second-life",
			breaks: "a provider that restarts comes back under its name",
			file:   "daemons/vat/holding.go",
			old:    "\t\tif !Disconnected(err) {\n",
			new:    "\t\tif err != nil || !Disconnected(err) {\n",
			tests:  suite{packages: "./daemons/vat"},
		},
	}
}

// nxMutants are faults in what the operator is told.
func nxMutants() []mutant {
	tests := suite{packages: "./nx/cli"}
	return []mutant{
		{
			id:     "nx-rollback-is-success",
			breaks: "nx update exits 1 after a rollback",
			file:   "nx/cli/update.go",
			old:    "return true, rolled(now.LastRollback)",
			new:    "return true, nil",
			tests:  tests,
		},
		{
			id:     "nx-success-before-commit",
			breaks: "nx update exits 0 only after the commit",
			file:   "nx/cli/update.go",
			old:    "return now.HealthOK, nil",
			new:    "return true, nil",
			tests:  tests,
		},
		{
			id:     "nx-wrong-reason",
			breaks: "the system's reason reaches programs as it is",
			file:   "nx/cli/failure.go",
			old:    "\t\treturn refused.Reason, refused.Detail\n",
			new:    "\t\treturn refusal.IO, refused.Detail\n",
			tests:  tests,
		},
	}
}
