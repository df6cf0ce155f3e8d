package cli

import "nexus/schema/check/lock"

// lockVerb writes the surface as text.
type lockVerb struct {
	schemas
	generated
}

// Run prints, writes or checks the lock.
func (v *lockVerb) Run(io *streams) error {
	s, err := v.read(io)
	if err != nil {
		return err
	}
	return v.put(io, lock.Format(s))
}
