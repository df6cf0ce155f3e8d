// Package refusal defines the reasons for which Nexus refuses input or requests. A reason is a stable code that
// programs may branch on; the text next to it is for people. The package knows no formats and no rules.
package refusal

import (
	"errors"
	"fmt"
)

// A Reason is a stable code in kebab-case. docs/refusals.md lists all of them.
type Reason string

// An Error is a refusal: a reason for programs and one line for people.
type Error struct {
	Reason Reason
	Detail string
}

func (e *Error) Error() string { return e.Detail }

// New returns a refusal. The formatted text must be one line without a full stop.
func New(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Of returns the reason of an error that is, or wraps, a refusal. Any other error has the reason IO: something outside
// the input failed. A nil error has no reason.
func Of(err error) Reason {
	if err == nil {
		return ""
	}
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return IO
}

// DetailOf returns the text of the refusal that an error is, or wraps, without the texts that were wrapped around it:
// the caller knows what it asked for. Any other error is returned as a whole.
func DetailOf(err error) string {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Detail
	}
	return err.Error()
}
