package main

// packers returns the peers that make a signed archive from the same files. None compresses.
func packers() []Row {
	return []Row{
		{
			Name:  "rauc bundle, plain",
			Needs: []string{"rauc", "mksquashfs", "openssl"},
			Setup: certificate + raucContent,
			Run: Shell(
				`rm -rf content; mkdir content; for f in "$INPUT"/*; do ln "$f/payload.elf" "content/$(basename "$f").img"; done; cp manifest.raucm content/` + "\n" + raucBundle + ` content "$OUT/set.raucb" >/dev/null`),
		},
		{
			Name:  "swupdate: openssl dgst + cms, cpio",
			Needs: []string{"cpio", "openssl"},
			Setup: certificate,
			Run:   Shell(swuDescription + "\n" + swuPack),
		},
		{
			Name:  "mender-artifact, no compression",
			Needs: []string{"mender-artifact"},
			Setup: menderContent,
			Run:   Shell(menderWrite + ` -o "$OUT/set.mender" >/dev/null`),
		},
	}
}

// verifiers returns the peers that verify what the packers made.
func verifiers() []Row {
	return []Row{
		{
			Name:  "rauc info",
			Needs: []string{"rauc", "mksquashfs", "openssl"},
			Setup: certificate + raucContent +
				`rm -rf content; mkdir content; for f in "$INPUT"/*; do ln "$f/payload.elf" "content/$(basename "$f").img"; done; cp manifest.raucm content/` + "\n" +
				raucBundle + ` content set.raucb >/dev/null; cat set.raucb >/dev/null`,
			Run: Shell(`rauc --keyring=cert.pem info set.raucb >/dev/null`),
		},
		{
			Name:  "mender-artifact validate",
			Needs: []string{"mender-artifact"},
			Setup: menderContent + menderWrite + ` -o set.mender >/dev/null; cat set.mender >/dev/null`,
			Run:   Shell(`mender-artifact validate -k pub.pem set.mender >/dev/null`),
		},
	}
}

// certificate is a script that makes a key and its certificate, once.
const certificate = `[ -e cert.pem ] || openssl req -x509 -newkey rsa:3072 -nodes -keyout key.pem -out cert.pem -subj /CN=bench -days 3650 2>/dev/null
`

// raucContent is RAUC's manifest of the same images.
const raucContent = `{
	printf '[update]\ncompatible=bench\nversion=1.0.0\n\n[bundle]\nformat=plain\n'
	for f in "$INPUT"/*; do n=$(basename "$f"); printf '\n[image.%s]\nfilename=%s.img\n' "${n%.nxb}" "$n"; done
} >manifest.raucm
`

const raucBundle = `rauc --cert=cert.pem --key=key.pem bundle --mksquashfs-args='-noI -noD -noF -noX'`

// menderContent is a script that makes a key, and the same images under different names.
const menderContent = `openssl genrsa -traditional -out mender.pem 3072 2>/dev/null; openssl pkey -in mender.pem -pubout -out pub.pem
rm -rf files; mkdir files; for f in "$INPUT"/*; do ln "$f/payload.elf" "files/$(basename "$f").img"; done
`

const menderWrite = `mender-artifact write module-image --compression none -T files -n 1.0.0 -t any -k mender.pem $(for f in files/*; do printf -- '-f %s ' "$f"; done)`

// swuDescription is SWUpdate's description of the same images, with their digests.
const swuDescription = `rm -rf swu; mkdir swu
{
	printf 'software = {\n\tversion = "1.0.0";\n\timages: (\n'
	comma=
	for f in "$INPUT"/*; do
		n=$(basename "$f" .nxb); ln "$f/payload.elf" "swu/$n"
		printf '%s\t\t{ filename = "%s"; type = "raw"; device = "/dev/null"; sha256 = "%s"; }' "$comma" "$n" "$(openssl dgst -sha256 -r "$f/payload.elf" | cut -d' ' -f1)"
		comma=',
'
	done
	printf '\n\t);\n}\n'
} >swu/sw-description`

const swuPack = `cd swu; openssl cms -sign -in sw-description -out sw-description.sig -signer ../cert.pem -inkey ../key.pem -outform DER -nosmimecap -binary
{ echo sw-description; echo sw-description.sig; ls | grep -v sw-description; } | cpio -o -H crc >"$OUT/set.swu" 2>/dev/null`
