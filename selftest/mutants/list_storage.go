package main

// durableMutants are faults in how files survive a cut.
func durableMutants() []mutant {
	tests := suite{packages: "./libupdates/durable"}
	return []mutant{
		{
			id:     "durable-no-file-sync",
			breaks: "the bytes of a file are durable before its name leads to them",
			file:   "libupdates/durable/replace.go",
			old:    "\tif err := f.Sync(); err != nil {\n\t\treturn err\n\t}\n\treturn f.Close()",
			new:    "\treturn f.Close()",
			tests:  tests,
		},
		{
			id:     "durable-no-dir-sync",
			breaks: "a replaced file stays replaced after a cut",
			file:   "libupdates/durable/replace.go",
			old:    "\treturn fs.SyncDir(path.Dir(name))",
			new:    "\t_ = path.Dir\n\treturn nil",
			tests:  tests,
		},
		{
			id:     "durable-dir-sync-before-rename",
			breaks: "a replaced file stays replaced after a cut",
			file:   "libupdates/durable/replace.go",
			old:    "\tif err := Replace(fs, name, data); err != nil {\n\t\treturn err\n\t}\n\treturn fs.SyncDir(path.Dir(name))",
			new:    "\tif err := fs.SyncDir(path.Dir(name)); err != nil {\n\t\treturn err\n\t}\n\treturn Replace(fs, name, data)",
			tests:  tests,
		},
		{
			id:     "cell-no-sync",
			breaks: "a record is durable when its store returns",
			file:   "libupdates/durable/cell.go",
			old:    "if err := c.file.Sync(); err != nil {",
			new:    "if err := error(nil); err != nil {",
			tests:  tests,
		},
		{
			id:     "cell-overwrites-the-newest",
			breaks: "a store never touches the copy that counts",
			file:   "libupdates/durable/cell.go",
			old:    "target := 1 - c.newest",
			new:    "target := c.newest",
			tests:  tests,
		},
		{
			id:     "cell-begins-with-one-copy",
			breaks: "after the first store either copy may be damaged",
			file:   "libupdates/durable/cell.go",
			old:    "\t\tif err := c.write(0, next); err != nil {\n\t\t\treturn err\n\t\t}\n",
			new:    "",
			tests:  tests,
		},
		{
			id:     "cell-older-copy-counts",
			breaks: "the newest intact copy counts",
			file:   "libupdates/durable/cell.go",
			old:    "half.generation > c.latest.generation",
			new:    "half.generation < c.latest.generation",
			tests:  tests,
		},
		{
			id:     "cell-no-checksum",
			breaks: "a damaged copy is not taken for a record",
			file:   "libupdates/durable/copy.go",
			old:    "n < len(value) || !bytes.Equal(",
			new:    "n < len(value) && !bytes.Equal(",
			tests:  tests,
		},
	}
}

// slotsMutants are faults in how sets come to the disk, and in how they are looked at there.
func slotsMutants() []mutant {
	tests := suite{packages: "./libupdates/slots"}
	return []mutant{
		{
			id:     "slots-no-payload-sync",
			breaks: "an image is durable before a slot leads to it",
			file:   "libupdates/slots/receive.go",
			old:    "errors.Join(file.Sync(), file.Close())",
			new:    "errors.Join(file.Close())",
			tests:  tests,
		},
		{
			id:     "slots-no-stage-dir-sync",
			breaks: "an image is durable before a slot leads to it",
			file:   "libupdates/slots/receive.go",
			old:    "\treturn f.fs.SyncDir(stageDir)\n",
			new:    "\treturn nil\n",
			tests:  tests,
		},
		{
			id:     "slots-no-name-sync",
			breaks: "a set has its name durably before a slot leads to it",
			file:   "libupdates/slots/publish.go",
			old:    "err = s.fs.SyncDir(setsDir)",
			new:    "err = nil",
			tests:  tests,
		},
		{
			id:     "slots-remove-before-sync",
			breaks: "a set is removed only when the link that left it is durable",
			file:   "libupdates/slots/publish.go",
			old:    "\tif err = s.link(slot, to); err == nil {\n\t\terr = s.fs.SyncDir(root)\n\t}\n\tif err == nil {\n\t\ts.drop(from)\n",
			new:    "\tif err = s.link(slot, to); err == nil {\n\t\ts.drop(from)\n\t\terr = s.fs.SyncDir(root)\n\t}\n\tif err == nil {\n",
			tests:  tests,
		},
		{
			id:     "slots-no-active-sync",
			breaks: "the slot that was confirmed last outlives a cut",
			file:   "libupdates/slots/active.go",
			old:    "\treturn s.fs.SyncDir(root)\n",
			new:    "\treturn nil\n",
			tests:  suite{packages: "./libupdates/slots", run: "TestActive"},
		},
		{
			id:     "slots-no-reserve",
			breaks: "space is reserved before the first payload byte is written",
			file:   "libupdates/slots/receive.go",
			old:    "if err := payload.Allocate(entry.PayloadSize); err != nil {",
			new:    "if err := error(nil); err != nil {",
			tests:  suite{packages: "./libupdates/slots", run: "TestOrderOfSteps"},
		},
		{
			id:     "slots-admit-unasked",
			breaks: "a set that is refused by its digest writes nothing",
			file:   "libupdates/slots/stage.go",
			old:    "if opt.Admit != nil {",
			new:    "if opt.Admit == nil {",
			tests:  suite{packages: "./libupdates/slots", run: "TestRefused"},
		},
		{
			id:     "slots-reuse-unchecked",
			breaks: "a set that is on the disk already is verified anew",
			file:   "libupdates/slots/stage.go",
			old:    "\treturn set.checkBundles(head.Index) == nil\n",
			new:    "\treturn true\n",
			tests:  suite{packages: "./libupdates/slots", run: "TestStageMends"},
		},
		{
			id:     "slots-error-leaves-residue",
			breaks: "after a refusal everything written is gone",
			file:   "libupdates/slots/receive.go",
			old:    "\t\ts.fs.RemoveAll(stageDir) // best effort: the error that matters is the first one\n",
			new:    "",
			tests:  suite{packages: "./libupdates/slots", run: "TestFailure"},
		},
		{
			id:     "slots-verify-no-payload",
			breaks: "every byte of a slot is verified before it runs",
			file:   "libupdates/slots/content.go",
			old:    "\treturn set.checkBundles(index)\n",
			new:    "\t_ = index\n\treturn nil\n",
			tests:  suite{packages: "./libupdates/slots", run: "TestVerify"},
		},
		{
			id:     "slots-verify-unsigned",
			breaks: "a slot's index is held against its signature",
			file:   "libupdates/slots/stored.go",
			old:    "return nxs.VerifyIndex(raw, signature, verify)",
			new:    "_ = signature\n\treturn nxs.ParseIndex(raw)",
			tests:  suite{packages: "./libupdates/slots", run: "TestVerify"},
		},
	}
}
