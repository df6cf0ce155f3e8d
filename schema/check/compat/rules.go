package compat

import "slices"

// A Rule is one kind of change.
type Rule struct {
	ID     string
	Effect Effect
	What   string // what happened
	Why    string // the effect on an old peer
}

// Rules returns all rules, in the order of the documentation.
func Rules() []Rule {
	return slices.Concat(typeRules(), fieldRules(), enumerantRules(), methodRules(), constantRules())
}

func typeRules() []Rule {
	return []Rule{
		{"file-added", Grows, "a schema file is new", "no old peer uses it"},
		{"file-removed", Breaks, "a schema file was removed", "its types were removed with it"},
		{"file-renamed", Renames, "a file has another name and the same id", "imports and generated packages change"},
		{"type-added", Grows, "a declaration is new", "no old peer uses it"},
		{"type-removed", Breaks, "a declaration was removed", "its messages can no longer be read, its methods no longer called"},
		{"type-renamed", Renames, "a declaration has another name or scope and the same id",
			"programs use another name"},
		{"type-kind", Breaks, "a declaration has another kind", "its messages are misread"},
		{"interface-id", Breaks, "an interface has another id",
			"calls name interfaces by id: old clients get unimplemented"},
		{"type-id", Renames, "a file, struct, enum, constant or annotation has another id",
			"it is in no message, only in generated code and this lock"},
		{"type-parameters", Breaks, "type parameters were removed or reordered", "bindings have another meaning"},
		{"type-parameters-added", Grows, "type parameters were added", "unbound, they are AnyPointer"},
		{"class-lowered", Breaks, "a blessed declaration is now lockstep",
			"the promise is withdrawn; this change itself needs a waiver"},
		{"class-raised", Grows, "a lockstep declaration is now blessed", "it may only grow from now on"},
	}
}

func fieldRules() []Rule {
	return []Rule{
		{"field-added", Grows, "a field with a new number", "old readers skip it, new readers see its default"},
		{"field-removed", Breaks, "a field's number is no longer used",
			"what old writers store there is lost, and the number may be reused"},
		{"field-renamed", Renames, "a number has another name and the same type",
			"programs and JSON use another name"},
		{"field-renumbered", Breaks, "a name has another number", "its bits are elsewhere"},
		{"field-retyped", Breaks, "a number has another type", "its bits have another meaning"},
		{"field-generic", Renames,
			"AnyPointer has become a type parameter, or an unbound one was bound, or the reverse",
			"the bytes are the same; programs see another type"},
		{"field-redefaulted", Breaks, "a field has another default", "the same bytes read as another value"},
		{"field-moved", Breaks, "a field is elsewhere in the message", "old and new read different bits"},
		{"field-into-union", Breaks, "a field has become an arm of a union",
			"old readers misread the bits of other arms as this field"},
		{"field-out-of-union", Breaks, "a field has left its union", "old writers store the bits of other arms in it"},
		{"field-retagged", Breaks, "an arm's discriminant has another value", "old and new mistake it for another arm"},
		{"union-moved", Breaks, "a union's discriminant is elsewhere", "old and new read different tags"},
	}
}

func enumerantRules() []Rule {
	return []Rule{
		{"enumerant-added", Grows, "an enum has one more value", "old readers see a number they have no name for"},
		{"enumerant-removed", Breaks, "a value was removed", "old writers still send its number"},
		{"enumerant-renamed", Renames, "a value has another name", "programs and JSON use another name"},
		{"enumerant-renumbered", Breaks, "a name has another value",
			"the same number has different meanings"},
	}
}

func methodRules() []Rule {
	return []Rule{
		{"method-added", Grows, "an interface has one more method", "old servers answer unimplemented"},
		{"method-removed", Breaks, "a method was removed", "old clients get unimplemented"},
		{"method-renamed", Renames, "a method has another name", "programs use another name"},
		{"method-renumbered", Breaks, "a name has another number", "old clients call another method"},
		{"method-retyped", Breaks,
			"a method has other parameters or results, or another number of type parameters",
			"old and new read different layouts"},
		{"method-streams", Renames, "a method without results became a streaming method, or the reverse",
			"the bytes are the same; flow control is different"},
		{"superclass-added", Grows, "an interface has another superclass",
			"old servers answer its methods with unimplemented"},
		{"superclass-removed", Breaks, "an interface has lost a superclass", "calls to its methods get unimplemented"},
	}
}

func constantRules() []Rule {
	return []Rule{
		{"const-changed", Breaks, "a constant has another value", "the two sides use different bounds"},
		{"const-retyped", Breaks, "a constant has another type", "its value has another meaning"},
		{"annotation-retyped", Breaks, "an annotation's own type or targets changed", "its uses have another meaning"},
		{"annotated", Renames, "the use of an annotation was added, removed or changed",
			"generated code changes; bytes only if a codec uses it, as for JSON"},
	}
}

// effectsByRule returns the effect of each rule.
func effectsByRule() map[string]Effect {
	m := map[string]Effect{}
	for _, r := range Rules() {
		m[r.ID] = r.Effect
	}
	return m
}
