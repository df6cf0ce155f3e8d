package compat

// A key identifies a member: by its number, for peers, and by its name, for programs.
type key struct {
	ordinal int
	name    string
}

// A fate is what happened to a member.
type fate struct {
	renumbered bool // the name now has the number at
	removed    bool
	at         int // the new number; if not renumbered, the old one
}

// pairUp matches old members with new ones. The number decides. If a name has moved to another number, however, the
// member was renumbered, rather than renamed and given another type. added has the numbers in new that match no old
// member.
func pairUp(old, new []key) (fates []fate, added map[int]bool) {
	numbers, names := map[string]int{}, map[int]string{}
	for _, k := range new {
		numbers[k.name], names[k.ordinal] = k.ordinal, k.name
	}
	was, taken := map[string]bool{}, map[int]bool{}
	for _, k := range old {
		was[k.name], taken[k.ordinal] = true, true
	}
	for _, k := range old {
		elsewhere, kept := numbers[k.name]
		name, held := names[k.ordinal]
		switch {
		case kept && elsewhere != k.ordinal:
			fates = append(fates, fate{renumbered: true, at: elsewhere})
		case !held, name != k.name && was[name]:
			fates = append(fates, fate{removed: true, at: k.ordinal})
		default:
			fates = append(fates, fate{at: k.ordinal})
		}
	}
	added = map[int]bool{}
	for _, k := range new {
		// A new name at an old number is a rename, or an added member if the old name has moved.
		if !was[k.name] && (!taken[k.ordinal] || renumberedFrom(old, fates, k.ordinal)) {
			added[k.ordinal] = true
		}
	}
	return fates, added
}

func renumberedFrom(old []key, fates []fate, ordinal int) bool {
	for i, k := range old {
		if k.ordinal == ordinal {
			return fates[i].renumbered
		}
	}
	return false
}
