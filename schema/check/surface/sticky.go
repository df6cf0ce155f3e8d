package surface

import "iter"

// ok hands on a value, or notes the error with the decoder and hands on the zero: the caller reads top to bottom and
// the first error decides in the end.
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

// each walks a generated list.
func each[T any](l list[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}
