package compat

// A key is what a member is known by: its number, which peers use, and its name, which programs use.
type key struct {
	ordinal int
	name    string
}

// A fate is what became of a member.
type fate struct {
	renumbered bool // the name has another number now: at
	removed    bool
	at         int // number now; unless renumbered, the number it had
}

// pairUp follows members from old to new. The number decides, but where a name went to another number the two were
// renumbered, not renamed and retyped. added are the numbers in new of members that are no old one's.
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
		// A new name at an old number is either that number's rename or, where the old name went elsewhere, new.
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
