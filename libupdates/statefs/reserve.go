package statefs

// The disk may belong to others, too, and they may fill it. The reserve is a file of nothing but space: given up for a
// moment, it lets a value of a reserved prefix be replaced on a disk that is full, after which the old value's space
// makes it whole again.

// keepReserve makes the reserve where it is missing. It may be made of less than it should be, which is no error.
func (s *Store) keepReserve() error {
	if kind, err := s.fs.Kind(reserveFile); err == nil && kind == 0 {
		if f, err := s.fs.Open(reserveFile); err == nil {
			defer f.Close()
			if f.Size() >= reserveSize {
				return nil
			}
		}
	}
	if err := s.makeWay(reserveFile); err != nil {
		return err
	}
	if err := s.fs.RemoveAll(reserveFile); err != nil {
		return err
	}
	return s.makeReserve()
}

func (s *Store) makeReserve() error {
	f, err := s.fs.Create(reserveFile, 0o600)
	if err != nil {
		return err
	}
	err = f.Allocate(reserveSize)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		s.fs.RemoveAll(reserveFile)
	}
	return err
}

// onReserve gives the reserve up for one step and makes it again, as far as there is space.
func (s *Store) onReserve(step func() error) error {
	if err := s.fs.RemoveAll(reserveFile); err != nil {
		return err
	}
	err := step()
	s.keepReserve() // best effort: the step is what matters
	return err
}
