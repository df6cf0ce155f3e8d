// Package oci keeps system sets in OCI registries. In a registry a set is one manifest with a layer for each entry of
// its archive, in the archive's order. A Client pushes and fetches such sets; reading one yields the bytes of the
// archive, which are verified like those of any other archive (package nxs). Nothing that a registry says is trusted:
// sizes are bounded, digests checked, waits and redirects limited, and each fault has one reason of package refusal.
package oci
