// Package packagefsd shows the published bundles as paths: it turns each path into calls to BundleMgr. It stores no
// files and remembers nothing about them. Each call is answered from the current publication, so two calls may see
// different ones. Only the bytes of a payload come from its file, which BundleMgr hands over.
package packagefsd
