@0xf8a3b2c1d4e5f6a7;
# The bundle manifest, `manifest.nxb`: what a bundle is, how it runs and what it may ask for.
#
# Class: blessed. These bytes outlive every image, so this file may only grow: fields are appended, and numbers, types
# and defaults never change. Readers keep and ignore unknown fields, and refuse any schemaVersion other than 1.
#
# Encoding: one message in standard stream framing. Writers produce one segment in canonical form; readers accept any
# valid encoding. The whole file is at most 256 KiB.

using Go = import "/go.capnp";
$Go.package("manifest");
$Go.import("nexus/capnpgen/manifest");

struct BundleManifest {
  # The root of `manifest.nxb`.

  schemaVersion @0 :UInt8 = 1;
  # Version of this layout. Always 1. Readers refuse any other value before they look at other fields.

  name @1 :Text;
  # Bundle name: 1 to 64 characters of `[a-z0-9._-]`. It begins and ends with a letter or digit and does not contain
  # `..`.

  semver @2 :Text;
  # Version of the bundle, SemVer 2.0.0 (https://semver.org), at most 64 characters.

  abilities @3 :List(Text);
  # How the bundle runs. `nexus.ability.Main`: it is started on demand. `nexus.ability.Service`: it runs while its slot
  # is published. `nexus.ability.Data`, without these two: its payload is a tree (libupdates/tree), which other bundles
  # of its set may read. `nexus.ability.Native`, together with Service: it exports Service (service.capnp) and is not healthy
  # until it reports so; without it, a service that does not answer within the settle time counts as plain. Other
  # abilities are kept and ignored. At most 64 entries of at most 128 bytes.

  capabilities @4 :List(Text);
  # What the bundle asks for, at most 64 of at most 128 bytes. A text without a colon is a name that it may look up in
  # its ServiceManager; it gets only those that the authority table allows for bundles. A text with a colon is a power,
  # which it gets if the device's policy grants it:
  #
  #     net.listen:tcp/PORT     a listening TCP socket on that port, 1 to 65535, in decimal without leading zeros
  #     net.connect:tcp/PORT    connections to that TCP port of any host
  #     net.connect:udp/PORT    the same by UDP
  #     state:SIZE              a folder with that quota, 1MiB to 16GiB, at most one
  #     data:NAME               the tree of the data bundle NAME of the same set
  #     device:NAME             the device that the policy calls NAME
  #
  # No power may be asked for twice, and at most 16 may be of a kind. If there are listening sockets or devices, these are
  # the descriptors from 3 on, first the sockets, each in this order, and those of the connection and the endowment
  # channel follow (docs/packaging/nxb.md).

  minSdk @5 :Text;
  # Lowest SDK version that can run the bundle, SemVer; empty means any.

  publisher @6 :Data;
  # 16 bytes: the first half of the SHA-256 of the publisher's 32-byte Ed25519 public key.

  signature @7 :Data;
  # 64 bytes: the publisher's Ed25519 signature (RFC 8032) over the raw bytes of `payload.elf`.

  payloadDigest @8 :Data;
  # 32 bytes: SHA-256 of `payload.elf`. Empty in manifests of version 1.0, for which only the set's index has it.

  payloadSize @9 :UInt64;
  # Size of `payload.elf` in bytes. Only valid if payloadDigest is not empty.

  args @10 :List(Text);
  # Arguments of the program, which follow its name. In these, `${NAME}` stands for the value of a variable that the
  # system sets and whose name begins with NEXUS_, as in the values of environment. At most 64 of at most 1024 bytes;
  # together with environment at most 4096 bytes.

  environment @11 :List(Text);
  # Variables of the program's environment, beside those that the system sets, each as `NAME=value`. A NAME is
  # `[A-Za-z_][A-Za-z0-9_]*`, does not begin with `NEXUS_` or `LISTEN_`, is not `STATE_DIRECTORY`, and
  # occurs once. Bounds as for args.
}
