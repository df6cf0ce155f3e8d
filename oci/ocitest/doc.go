// Package ocitest runs real OCI registries for tests: Debian's, which implements OCI 1.0, and the reference
// implementation, which implements 1.1.
package ocitest
