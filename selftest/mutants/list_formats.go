package main

// nxsMutants are faults in how an archive is verified.
func nxsMutants() []mutant {
	tests := suite{packages: "./libupdates/nxs"}
	return []mutant{
		{
			id:     "nxs-signature-ignored",
			breaks: "nothing that no trusted key has signed is taken",
			file:   "libupdates/nxs/verify.go",
			old:    "\tsigner, err := verify(raw, signature)\n\tif err != nil {\n\t\treturn Index{}, err\n\t}\n",
			new:    "\tsigner, _ := verify(raw, signature)\n",
			tests:  tests,
		},
		{
			id:     "nxs-parse-before-verify",
			breaks: "nothing is interpreted before the signature that covers it has passed",
			file:   "libupdates/nxs/verify.go",
			old:    "\tsigner, err := verify(raw, signature)\n\tif err != nil {\n\t\treturn Index{}, err\n\t}\n\tindex, err := ParseIndex(raw)\n\tif err != nil {\n\t\treturn Index{}, err\n\t}\n",
			new:    "\tindex, err := ParseIndex(raw)\n\tif err != nil {\n\t\treturn Index{}, err\n\t}\n\tsigner, err := verify(raw, signature)\n\tif err != nil {\n\t\treturn Index{}, err\n\t}\n",
			tests:  tests,
		},
		{
			id:     "nxs-any-signer",
			breaks: "the index names who signed it",
			file:   "libupdates/nxs/verify.go",
			old:    "if index.Publisher != signer {",
			new:    "if false && index.Publisher != signer {",
			tests:  tests,
		},
		{
			id:     "nxs-payload-digest-ignored",
			breaks: "every payload byte is the signed one",
			file:   "libupdates/nxs/bundle.go",
			old:    "if sum != e.PayloadSHA256 {",
			new:    "if false && sum != e.PayloadSHA256 {",
			tests:  tests,
		},
		{
			id:     "framing-wrong-kind-is-null",
			breaks: "what leads to something else than its schema says is refused, not read as nothing",
			file:   "libupdates/framing/framing.go",
			old:    "if p.IsValid() && !kind.is(p) {",
			new:    "if p.IsValid() && !kind.is(p) && i < 0 {",
			tests:  suite{packages: "./libupdates/nxs ./libupdates/nxb", run: "Refuses|HostileIndex|Manifest"},
		},
		{
			id:     "nxs-file-faults-out-of-order",
			breaks: "of several faults the first in the archive is reported, whatever was read first",
			file:   "libupdates/nxs/file.go",
			old:    "\t\tif err := digest.Run(ctx, payloads); err != nil {\n\t\t\treturn err\n\t\t}\n\t\tif !errors.Is(walked, io.EOF) {\n\t\t\treturn walked\n\t\t}\n",
			new:    "\t\tif !errors.Is(walked, io.EOF) {\n\t\t\treturn walked\n\t\t}\n\t\tif err := digest.Run(ctx, payloads); err != nil {\n\t\t\treturn err\n\t\t}\n",
			tests:  tests,
		},
		{
			id:     "nxs-manifest-digest-ignored",
			breaks: "every manifest byte is the signed one",
			file:   "libupdates/nxs/bundle.go",
			old:    "if Sum(raw) != entry.ManifestSHA256 {",
			new:    "if false && Sum(raw) != entry.ManifestSHA256 {",
			tests:  tests,
		},
		{
			id:     "nxs-payload-size-ignored",
			breaks: "a payload has the signed size",
			file:   "libupdates/nxs/bundle.go",
			old:    "if h.size != entry.PayloadSize {",
			new:    "if false && h.size != entry.PayloadSize {",
			tests:  tests,
		},
		{
			id:     "nxs-manifest-version-ignored",
			breaks: "a manifest says what the index says",
			file:   "libupdates/nxs/bundle.go",
			old:    "case m.Version != entry.Version:",
			new:    "case false && m.Version != entry.Version:",
			tests:  tests,
		},
		{
			id:     "nxs-any-order",
			breaks: "bundles stand in the byte order of their names, each once",
			file:   "libupdates/nxs/index.go",
			old:    "entries[i-1].Name >= entry.Name",
			new:    "entries[i-1].Name == entry.Name",
			tests:  tests,
		},
		{
			id:     "nxs-limit-off-by-one",
			breaks: "an archive over the device's limit is refused before it is read",
			file:   "libupdates/nxs/reader.go",
			old:    "if r.size > r.limits.Archive {",
			new:    "if r.size > r.limits.Archive+1 {",
			tests:  tests,
		},
		{
			id:     "nxs-payload-limit-ignored",
			breaks: "a payload over the device's limit is refused",
			file:   "libupdates/nxs/reader.go",
			old:    "if e.PayloadSize > r.limits.Payload {",
			new:    "if false && e.PayloadSize > r.limits.Payload {",
			tests:  tests,
		},
		{
			id:     "nxs-trailing-bytes",
			breaks: "nothing stands after the end of an archive",
			file:   "libupdates/nxs/source.go",
			old:    "\tcase n > 0:\n",
			new:    "\tcase n > 1:\n",
			tests:  tests,
		},
		{
			id:     "nxs-padding-ignored",
			breaks: "no byte of an archive is without a meaning",
			file:   "libupdates/nxs/source.go",
			old:    "if !isZero(rest) {",
			new:    "if false && !isZero(rest) {",
			tests:  tests,
		},
		{
			id:     "nxs-path-outside",
			breaks: "no entry's name leads out of its bundle",
			file:   "libupdates/nxs/header.go",
			old:    " || path.Clean(name) != strings.TrimSuffix(name, \"/\") || strings.Contains(name, \"..\") {",
			new:    " || path.Clean(name) == \"\" {",
			tests:  tests,
		},
		{
			id:     "framing-endless-pointers",
			breaks: "a small message cannot unfold into much work",
			file:   "libupdates/framing/framing.go",
			old:    "msg.ResetReadLimit(uint64(traverseFactor*len(raw) + traverseBase))",
			new:    "msg.ResetReadLimit(1 << 62)",
			tests:  suite{packages: "./libupdates/framing"},
		},
		{
			id:     "nxb-any-machine",
			breaks: "only programs for this machine are started",
			file:   "libupdates/nxb/elf.go",
			old:    "got != machine {",
			new:    "got != machine && false {",
			tests:  suite{packages: "./libupdates/nxb"},
		},
	}
}

// trustMutants are faults in who is believed.
func trustMutants() []mutant {
	tests := suite{packages: "./libupdates/trust"}
	return []mutant{
		{
			id:     "trust-any-role",
			breaks: "a key is trusted for its role only",
			file:   "libupdates/trust/anchors.go",
			old:    "if anchor.Role == role && anchor.Key.Signed(message, signature) {",
			new:    "if anchor.Key.Signed(message, signature) {",
			tests:  tests,
		},
		{
			id:     "trust-any-key",
			breaks: "only keys that were allowed are trusted",
			file:   "libupdates/trust/anchors.go",
			old:    "return refusal.New(refusal.UntrustedPublisher, \"publisher %s is not trusted for the role %s\", candidate, role)",
			new:    "return nil",
			tests:  tests,
		},
		{
			id:     "trust-weak-keys",
			breaks: "a key under which anyone can sign is no key",
			file:   "libupdates/trust/weak.go",
			old:    "\t\t\treturn true\n",
			new:    "\t\t\treturn false\n",
			tests:  tests,
		},
	}
}
