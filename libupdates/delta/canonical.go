package delta

// canonical makes the bytes of a file with its references replaced by what they refer to, so that code that was only
// moved is equal. Targets maps the position of a target to a value; nil stands for one value for all, and leaves
// references outside of code as they are. The bytes are in b, which has room for them.
func canonical(b []byte, m *model, targets func(int64) int64) error {
	if n, err := m.file.ReadAt(b, 0); n < len(b) {
		return err
	}
	for chunk := int64(0); chunk*chunkSize < m.size; chunk++ {
		found, err := m.references(chunk)
		if err != nil {
			return err
		}
		for _, r := range found {
			switch {
			case targets != nil:
				r.cover(b[r.at:], uint64(targets(r.target))*0x9e3779b97f4a7c15>>16)
			case r.form == relative32 || r.form >= jump20:
				r.cover(b[r.at:], 0)
			}
		}
	}
	return nil
}
