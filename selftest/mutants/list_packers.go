package main

// packerMutants are faults in what the packers leave behind when they fail.
func packerMutants() []mutant {
	tests := suite{packages: "./nxspack"}
	return []mutant{
		{
			id:     "pack-full-disk-unheard",
			breaks: "a set with a hole where the disk was full is not made",
			file:   "nxspack/output.go",
			old:    "return int(head) + done, err",
			new:    "return int(head) + done, nil",
			tests:  tests,
		},
		{
			id:     "pack-leaves-half",
			breaks: "what is not whole is taken away",
			file:   "nxspack/publish.go",
			old:    "\tdefer os.Remove(f.Name()) // fails after the rename, as it should\n",
			new:    "",
			tests:  tests,
		},
		{
			id:     "pack-leaves-half-a-key",
			breaks: "there is no private key without its public one",
			file:   "nxspack/keys.go",
			old:    "errors.Join(err, os.Remove(v.Output))",
			new:    "err",
			tests:  tests,
		},
	}
}
