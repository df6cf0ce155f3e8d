package execd

import "context"

// tokens bound how many do something at one time.
type tokens chan struct{}

// take waits for a token. done, which is never nil, gives it back.
func (t tokens) take(ctx context.Context) (done func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return func() {}, ctx.Err()
	}
}
