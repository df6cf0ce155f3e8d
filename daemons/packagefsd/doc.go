// Package packagefsd shows the published bundles as paths: it turns each path into calls to BundleMgr. It stores no
// files and caches nothing. Each call is answered from the current publication, so two calls may see different ones.
package packagefsd
