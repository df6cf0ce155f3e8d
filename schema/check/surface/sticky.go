package surface

import "iter"

// ok returns a value. If there is an error, it records the first one in the decoder and returns the zero value, so that
// callers need no error handling.
func ok[T any](value T, err error) func(*decoder) T {
	return func(d *decoder) T {
		if err != nil {
			d.fail(err)
			var zero T
			return zero
		}
		return value
	}
}

// A list is any generated list.
type list[T any] interface {
	Len() int
	At(int) T
}

// each iterates over a generated list.
func each[T any](l list[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}
