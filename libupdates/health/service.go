package health

import "nexus/libupdates/refusal"

// State is how a service is.
type State uint8

// The states. A service begins as Starting; Exited, StartFailed and Unhealthy are final for an attempt.
const (
	Starting    State = iota // runs, not yet known to be healthy
	Healthy                  // runs and is healthy
	Unhealthy                // says that it fails, or answers with another version than its manifest's
	Exited                   // ended
	StartFailed              // could not be started for what it is
	Hindered                 // could not be started yet, for what the machine or the system is
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	case Exited:
		return "exited"
	case StartFailed:
		return "start-failed"
	case Hindered:
		return "hindered"
	default:
		return "unknown"
	}
}

// Reason is why a service in this state fails an attempt, now or at the deadline; empty: it does not.
func (s State) Reason() refusal.Reason {
	switch s {
	case Starting, Healthy:
		return ""
	case Exited:
		return refusal.ServiceExited
	case StartFailed:
		return refusal.ServiceStartFailed
	case Hindered:
		return refusal.Hindered
	default:
		return refusal.ServiceUnhealthy
	}
}

// FailedState is the state that fails an attempt for this reason.
func FailedState(reason refusal.Reason) State {
	switch reason {
	case refusal.ServiceExited:
		return Exited
	case refusal.ServiceStartFailed:
		return StartFailed
	default:
		return Unhealthy
	}
}

// Service is one service of the slot, as observed.
type Service struct {
	Name     string // bundle name
	Version  string // from its manifest
	Native   bool   // whether it exports Service and is asked
	Optional bool   // whether it counts for the quorum only
	State    State
	Detail   string // one line for people; how it ended, what it said
}

// Answer is what a native service says of itself, as in schema/service.capnp.
type Answer uint8

// The answers.
const (
	AnswerNone     Answer = iota // nothing yet; counts as starting
	AnswerStarting               // not yet able to work
	AnswerOK                     // able to work
	AnswerFailing                // not able to work, and waiting will not help
)

// NativeState is the state of a running service that was asked. version is what it answered, want what its manifest
// says: a program that is not the one the manifest names is never healthy. An empty version means that it has not
// answered that question yet.
func NativeState(answer Answer, version, want string) State {
	switch {
	case answer == AnswerFailing, version != "" && version != want:
		return Unhealthy
	case answer == AnswerOK && version == want:
		return Healthy
	default:
		return Starting
	}
}
