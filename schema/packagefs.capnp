@0xa85698487b96693b;
# The published bundles, of the system and of apps, by path: what `packagefsd` serves.
#
# Paths are relative and `/`-separated, without `.` or `..`. The empty path is the root, which has a directory per
# bundle, each with `manifest.nxb` and `payload.elf`. A path is at most 255 bytes.
#
# Holders: the operator, the selftest, and bundles that ask for it. A bundle sees its own directory, and those of data
# bundles that it asks for.
#
# Class: blessed (bundles call it). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("packagefs");
$Go.import("nexus/capnpgen/packagefs");

interface PackageFs {
  # Read files of published bundles by path.

  stat @0 (path :Text) -> (info :FileInfo);
  # The entry at the path. Refused as `bad-path` or `no-such-file`.

  list @1 (path :Text) -> (entries :List(FileInfo));
  # The entries of a directory, in byte order of their names, all of them: at most 768, because a system has at most 256
  # bundles, and 64 packages of apps at most 8 each. Refused as `bad-path`, `no-such-file` or `not-a-directory`.

  read @2 (path :Text, offset :UInt64, count :UInt32) -> (bytes :Data);
  # At most `count` bytes, and at most 1 MiB, from `offset`; empty at the end. Refused as `bad-path`, `no-such-file` or
  # `is-a-directory`.
}

struct FileInfo {
  # One file or directory.

  name @0 :Text;
  # Last element of the path; empty for the root.
  type @1 :FileType;
  # Its type.
  sizeBytes @2 :UInt64;
  # Size of a file; 0 for a directory.
}

enum FileType {
  # The type of an entry.

  unspecified @0;
  # Never sent.
  directory @1;
  # The root, or a bundle.
  file @2;
  # A file of a bundle.
}
