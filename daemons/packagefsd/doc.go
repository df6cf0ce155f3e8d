// Package packagefsd owns the path view of the published bundles: it turns a path into calls to BundleMgr. It holds no
// file and keeps no copy: each call answers from what is published at that moment, so two calls may see two
// publications.
package packagefsd
