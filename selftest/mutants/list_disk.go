package main

// diskMutants are faults in whose a disk is, and in how a new one becomes ours.
func diskMutants() []mutant {
	tests := suite{packages: "./libupdates/statedisk"}
	return []mutant{
		{
			id:     "disk-superblock-before-the-rest",
			breaks: "the superblock is written when all else is durable",
			file:   "libupdates/statedisk/prepare.go",
			old:    "\tif err := disk.Sync(); err != nil {\n\t\treturn err\n\t}\n\tif _, err",
			new:    "\tif _, err",
			tests:  tests,
		},
		{
			id:     "disk-anybodys-ext4",
			breaks: "a file system with another label is not ours",
			file:   "libupdates/statedisk/superblock.go",
			old:    "return s.hasMagic() && s.label() == Label",
			new:    "return s.hasMagic()",
			tests:  tests,
		},
		{
			id:     "disk-checksum-unread",
			breaks: "a damaged superblock is noticed",
			file:   "libupdates/statedisk/superblock.go",
			old:    "return s.hasMagic() && sum == binary",
			new:    "return s.hasMagic() || sum == binary",
			tests:  tests,
		},
		{
			id:     "disk-end-unread",
			breaks: "a disk with something at its end is not new",
			file:   "libupdates/statedisk/identify.go",
			old:    "max(MinSize, size-tail), size)",
			new:    "max(MinSize, size-tail), MinSize)",
			tests:  tests,
		},
	}
}
