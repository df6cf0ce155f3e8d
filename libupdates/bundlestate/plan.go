package bundlestate

// A Want is what the boot record says about a bundle.
type Want struct {
	Runs Identity // the version that is to run; zero: none is
	// Returns says whether a rollback would return to another set, and Back is the version in that; zero: it has none.
	Returns bool
	Back    Identity
	Trial   uint64 // the number of the trial that the running set is on; 0: none
	// Unsure says that one of the two sets cannot be read: nothing is made or removed for it.
	Unsure bool
}

// A Plan is what is to be done before a bundle runs.
type Plan struct {
	Use    Generation
	Make   bool        // Use is made: as a copy of From, or empty
	From   *Generation // nil: none
	Move   *Generation // becomes Use by another name; nil: none does
	Remove []Generation
}

// PlanFor decides which generation a bundle runs on. It is a pure function of what is there.
func PlanFor(there []Generation, want Want) Plan {
	var p Plan
	if own := newest(there, want.owns); own != nil {
		p.Use = *own
	} else {
		p = want.begin(there)
	}
	back := want.kept(there)
	for _, g := range there {
		if g != p.Use && (back == nil || g != *back) && (p.Move == nil || g != *p.Move) {
			p.Remove = append(p.Remove, g)
		}
	}
	return p
}

// changes reports whether a rollback would return to another version of the bundle.
func (w Want) changes() bool { return w.Returns && w.Back != w.Runs }

// owns reports whether the version that is to run may run on a generation. In a trial that is only one which began with
// the same trial: an older one is what another trial left.
func (w Want) owns(g Generation) bool {
	return g.Of == w.Runs && (w.Trial == 0 || !w.changes() || g.Trial == w.Trial)
}

// kept returns the generation that a rollback would return to; nil: none.
func (w Want) kept(there []Generation) *Generation {
	if !w.changes() {
		return nil
	}
	return newest(there, func(g Generation) bool { return g.Of == w.Back })
}

// begin plans the first run of a version. If a rollback would return to another one, that keeps its generation, and
// this one gets a copy. Else it takes over what is there.
func (w Want) begin(there []Generation) Plan {
	if w.changes() {
		return Plan{Use: Generation{Of: w.Runs, Trial: w.Trial}, Make: true, From: w.kept(there)}
	}
	last := newest(there, func(Generation) bool { return true })
	if last == nil {
		return Plan{Use: Generation{Of: w.Runs, Trial: w.Trial}, Make: true}
	}
	return Plan{Use: Generation{Of: w.Runs, Trial: last.Trial, N: last.N}, Move: last}
}

// newest returns the newest generation, of those in the order of their age, for which is says so; nil: none.
func newest(there []Generation, is func(Generation) bool) *Generation {
	for i := len(there) - 1; i >= 0; i-- {
		if is(there[i]) {
			return &there[i]
		}
	}
	return nil
}
