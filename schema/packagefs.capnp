@0xa85698487b96693b;
# A path view of the published bundles: what `packagefsd` serves.
#
# Paths are relative, `/`-separated, without `.` or `..`: the empty path is the root, which holds a directory per
# bundle, and each directory holds `manifest.nxb` and `payload.elf`. A path is at most 255 bytes.
#
# Who holds it: the operator, the selftest, and bundles that ask for it.
# Class: blessed (bundles call it). One call or answer is at most 4 MiB (daemons/vat).

using Go = import "/go.capnp";
$Go.package("packagefs");
$Go.import("nexus/capnpgen/packagefs");

interface PackageFs {
  # Read files of published bundles by path.

  stat @0 (path :Text) -> (info :FileInfo);
  # What is at the path. Refused as `bad-path` or `no-such-file`.

  list @1 (path :Text) -> (entries :List(FileInfo));
  # The entries of a directory in byte order of their names. Refused as `bad-path`, `no-such-file` or `not-a-directory`.

  read @2 (path :Text, offset :UInt64, count :UInt32) -> (bytes :Data);
  # At most `count` bytes (and at most 1 MiB) from `offset`; empty at the end. Refused as `bad-path`, `no-such-file` or
  # `is-a-directory`.
}

struct FileInfo {
  # One file or directory.

  name @0 :Text;
  # Last element of the path; empty for the root.
  type @1 :FileType;
  # What it is.
  sizeBytes @2 :UInt64;
  # Size of a file; 0 for a directory.
}

enum FileType {
  # What a path names.

  unspecified @0;
  # Never sent.
  directory @1;
  # The root or a bundle.
  file @2;
  # A file of a bundle.
}
