package main

// stateMutants are faults in what is to outlive a boot.
func stateMutants() []mutant {
	store := suite{packages: "./libupdates/statefs"}
	owner := suite{packages: "./libupdates/updater"}
	machine := suite{packages: "./libupdates/bootctl", run: "Floor|Damage|Return"}
	return []mutant{
		{
			id:     "state-checksum-ignored",
			breaks: "a flipped bit in a stored value is noticed",
			file:   "libupdates/statefs/value.go",
			old:    "if sum := sumOf(header, name, value); !bytes.Equal(sum[:], header[sumOffset:]) {",
			new:    "if sum := sumOf(header, name, value); false && !bytes.Equal(sum[:], header[sumOffset:]) {",
			tests:  store,
		},
		{
			id:     "state-name-not-covered",
			breaks: "a value counts only under the key it was put under",
			file:   "libupdates/statefs/value.go",
			old:    "\tio.WriteString(h, name)\n",
			new:    "\tio.WriteString(h, name[:0])\n",
			tests:  store,
		},
		{
			id:     "state-quota-ignored",
			breaks: "no prefix takes another one's space",
			file:   "libupdates/statefs/prefix.go",
			old:    "after > p.quota.Bytes {",
			new:    "after > 1<<40 {",
			tests:  store,
		},
		{
			id:     "state-foreign-taken",
			breaks: "a folder that is not ours is left as it is",
			file:   "libupdates/statefs/identify.go",
			old:    "\tif !anyIntact(fs, names) {\n",
			new:    "\tif false && !anyIntact(fs, names) {\n",
			tests:  store,
		},
		{
			id:     "state-no-reserve",
			breaks: "a full disk never stops the boot record",
			file:   "libupdates/statefs/prefix.go",
			old:    "if refusal.Of(err) == refusal.NoSpace && p.quota.Reserved {",
			new:    "if false && refusal.Of(err) == refusal.NoSpace && p.quota.Reserved {",
			tests:  store,
		},
		{
			id:     "state-any-prefix",
			breaks: "a capability for one prefix reaches no other",
			file:   "daemons/statefsd/run.go",
			old:    "\tif len(grants) != 1 {\n\t\treturn nil\n\t}\n",
			new:    "\tif len(grants) == 0 {\n\t\treturn nil\n\t}\n",
			tests:  suite{packages: "./daemons/statefsd"},
		},
		{
			id:     "record-kept-once",
			breaks: "either copy of the boot record may be damaged and nothing is lost",
			file:   "libupdates/updater/engine.go",
			old:    "e.cell.StoreTwice(raw)",
			new:    "e.cell.Store(raw)",
			tests:  owner,
		},
		{
			id:     "record-attempt-survives-boot",
			breaks: "nothing of a slot runs in a boot before an attempt was counted in it",
			file:   "libupdates/updater/load.go",
			old:    "\tif e.beginsBoot() {\n",
			new:    "\tif false && e.beginsBoot() {\n",
			tests:  owner,
		},
		{
			id:     "record-damage-fatal",
			breaks: "a device whose record is lost runs what was confirmed last",
			file:   "libupdates/updater/load.go",
			old:    "errors.Is(err, durable.ErrDamaged) && e.Persistent()",
			new:    "errors.Is(err, durable.ErrDamaged) && !e.Persistent()",
			tests:  owner,
		},
		{
			id:     "floor-not-asked",
			breaks: "a set that is older than the floor is refused",
			file:   "libupdates/bootctl/stage.go",
			old:    "return r.belowFloor(c)",
			new:    "return nil",
			tests:  machine,
		},
		{
			id:     "floor-during-watch",
			breaks: "the floor does not rise while the set before may have to come back",
			file:   "libupdates/bootctl/watch.go",
			old:    "\tif next.WatchLeft == 0 {\n\t\tnext.raiseFloor()",
			new:    "\tif true {\n\t\tnext.raiseFloor()",
			tests:  machine,
		},
		{
			id:     "floor-raised-by-lowering",
			breaks: "the recovery facet only lowers the floor",
			file:   "libupdates/bootctl/floor.go",
			old:    "case version != \"\" && !older(version, r.Floor):",
			new:    "case false && !older(version, r.Floor):",
			tests:  machine,
		},
		{
			id:     "damage-returned-to",
			breaks: "no way leads back to a slot in which damage was found",
			file:   "libupdates/bootctl/rollback.go",
			old:    "\tcase back.Damage != \"\":\n",
			new:    "\tcase false && back.Damage != \"\":\n",
			tests:  machine,
		},
		{
			id:     "damage-not-marked",
			breaks: "a flipped bit in the active slot brings the other one back",
			file:   "libupdates/updater/attempt.go",
			old:    "\t\tif err != nil || !damaged {\n",
			new:    "\t\tif true || err != nil || !damaged {\n",
			tests:  owner,
		},
	}
}
