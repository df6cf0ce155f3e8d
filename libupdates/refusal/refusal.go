// Package refusal names every reason for which Nexus says no. A reason is a stable code that programs may branch on;
// the text beside it is for people. It never does anything else: it knows no format and no rule.
package refusal

import (
	"errors"
	"fmt"
)

// Reason is a stable code in kebab-case. docs/refusals.md lists all of them.
type Reason string

// An Error is a refusal: the reason for programs and one line for people.
type Error struct {
	Reason Reason
	Detail string
}

func (e *Error) Error() string { return e.Detail }

// New makes a refusal. The formatted text is one line without a full stop.
func New(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Of returns the reason of an error that is, or wraps, a refusal. An error that is none has the reason IO: something
// outside the input failed. A nil error has no reason.
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

// DetailOf returns the words of the refusal that an error is, or wraps, without what was wrapped around it on the way:
// the line for whoever asked knows what was asked. An error that is no refusal is returned whole.
func DetailOf(err error) string {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Detail
	}
	return err.Error()
}
