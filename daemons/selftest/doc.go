// Package selftest is the client that tests the update flow from inside. It stages a healthy set, switches to it and
// waits for the commit; stages a broken set and waits for the rollback; and sends two damaged sets, which must be
// refused. It does the same with an app, and uninstalls it. After each step it asks the live service for its version.
// It finds the crash report of the broken set in the journal, and verifies the chain of audit records.
//
// It holds what the authority table grants it: a ServiceManager for a few names, a LogSink, the Journal, AppInstaller,
// a HealthVote, and the folder with the sets. It prints a marker only after it has observed what the marker says.
package selftest
