// Package switchover decides what becomes of the services that run when another publication takes over: which of them
// go on running, which end, and what each service that starts has to wait for. It is pure: the daemon that runs
// services tells it what runs, and does what it says.
package switchover
