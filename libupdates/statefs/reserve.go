package statefs

// Others may share the disk and fill it. The reserve is a file that only takes up space. It is removed for a moment so
// that a value of a reserved prefix can be replaced on a full disk; the space of the old value then goes to the new
// reserve.

// keepReserve creates the reserve if it is missing. It is not an error if the reserve becomes smaller than intended.
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

// onReserve runs one step without the reserve and creates it again, as far as there is space.
func (s *Store) onReserve(step func() error) error {
	if err := s.fs.RemoveAll(reserveFile); err != nil {
		return err
	}
	err := step()
	s.keepReserve() // best effort: only the step matters
	return err
}
