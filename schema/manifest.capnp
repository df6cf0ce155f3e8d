@0xf8a3b2c1d4e5f6a7;
# The bundle manifest, `manifest.nxb`: what one bundle is, what it runs as and what it may ask for.
#
# Class: blessed. These bytes outlive every image, so this file may only grow: fields are appended, numbers, types and
# defaults never change. Readers keep and ignore what they do not know, and refuse any schemaVersion but 1.
#
# Encoding: one message in standard stream framing. We write one segment in canonical form; any valid encoding is
# accepted on reading. The whole file is at most 256 KiB.

using Go = import "/go.capnp";
$Go.package("manifest");
$Go.import("nexus/capnpgen/manifest");

struct BundleManifest {
  # The root of `manifest.nxb`.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1; a reader refuses another value before it looks at any other field.

  name @1 :Text;
  # Bundle name: 1 to 64 characters of `[a-z0-9._-]`, first and last a letter or digit, no `..`.

  semver @2 :Text;
  # Version of the bundle, SemVer 2.0.0 (https://semver.org), at most 64 characters.

  abilities @3 :List(Text);
  # What the bundle runs as. `nexus.ability.Main`: started on demand. `nexus.ability.Service`: runs while its slot is
  # published. `nexus.ability.Native`, beside Service: it exports Service (service.capnp) and is not healthy before it
  # has said so; without it a service that does not answer within the settle time counts as plain. Others are kept and
  # ignored. At most 64 entries of at most 128 bytes.

  capabilities @4 :List(Text);
  # Names the bundle asks its ServiceManager for, at most 64 of at most 128 bytes. It gets those of them that the
  # authority table lets a bundle have, and no others.

  minSdk @5 :Text;
  # Lowest SDK version that can run the bundle, SemVer; empty means any.

  publisher @6 :Data;
  # 16 bytes: the first 16 of the SHA-256 of the publisher's 32-byte Ed25519 public key.

  signature @7 :Data;
  # 64 bytes: Ed25519 (RFC 8032) by the publisher over the raw bytes of `payload.elf`.

  payloadDigest @8 :Data;
  # 32 bytes: SHA-256 of `payload.elf`. Empty in manifests of version 1.0, which leave it to the set's index.

  payloadSize @9 :UInt64;
  # Size of `payload.elf` in bytes. Meaningful only where payloadDigest is not empty.
}
