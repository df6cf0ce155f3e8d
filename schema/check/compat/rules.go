package compat

// A Rule is one kind of change.
type Rule struct {
	ID     string
	Effect Effect
	What   string // what happened
	Why    string // the effect on an old peer
}

// Rules returns all rules, in the order of the documentation.
func Rules() []Rule {
	return []Rule{
		{"file-added", Grows, "a schema file is new", "nobody knew it"},
		{"file-removed", Breaks, "a schema file is gone", "its types are gone with it"},
		{"file-renamed", Renames, "a file has another name, and its id", "imports and generated packages change"},
		{"type-added", Grows, "a declaration is new", "nobody knew it"},
		{"type-removed", Breaks, "a declaration is gone", "what was made with it cannot be read or called any more"},
		{"type-renamed", Renames, "a declaration has another name or scope, and its id",
			"programs name it differently"},
		{"type-kind", Breaks, "a declaration has become another kind", "what was made with it is misread"},
		{"interface-id", Breaks, "an interface has another id",
			"calls name interfaces by id: old clients get unimplemented"},
		{"type-id", Renames, "a file, struct, enum, constant or annotation has another id",
			"no message carries it; generated code and this lock do"},
		{"type-parameters", Breaks, "type parameters were removed or reordered", "bindings mean something else"},
		{"type-parameters-added", Grows, "type parameters were added", "unbound, they are AnyPointer"},
		{"class-lowered", Breaks, "what was blessed is lockstep",
			"the promise is withdrawn; this change itself needs a waiver"},
		{"class-raised", Grows, "what was lockstep is blessed", "from now on it may only grow"},

		{"field-added", Grows, "a field with a new number", "old readers skip it, new readers see its default"},
		{"field-removed", Breaks, "a field's number is gone",
			"what old writers put there is lost, and the number may be given again"},
		{"field-renamed", Renames, "a number has another name, and its type",
			"programs name it differently; JSON does too"},
		{"field-renumbered", Breaks, "a name has another number", "its bits lie elsewhere"},
		{"field-retyped", Breaks, "a number has another type", "its bits mean something else"},
		{"field-generic", Renames,
			"AnyPointer has become a type parameter, or an unbound one was bound, or the other way",
			"the bytes stay; programs see another type"},
		{"field-redefaulted", Breaks, "a field has another default", "the same bytes read as another value"},
		{"field-moved", Breaks, "a field lies elsewhere in the message", "old and new read different bits"},
		{"field-into-union", Breaks, "a field has become an arm of a union",
			"old readers take another arm's bits for it"},
		{"field-out-of-union", Breaks, "a field has left its union", "old writers leave other arms' bits in it"},
		{"field-retagged", Breaks, "an arm's discriminant has another value", "old and new take it for another arm"},
		{"union-moved", Breaks, "a union's discriminant lies elsewhere", "old and new read different tags"},

		{"enumerant-added", Grows, "an enum has one more value", "old readers see a number they have no name for"},
		{"enumerant-removed", Breaks, "a value is gone", "old writers still send its number"},
		{"enumerant-renamed", Renames, "a value has another name", "programs name it differently; JSON does too"},
		{"enumerant-renumbered", Breaks, "a name has another value",
			"old and new mean different things by the same number"},

		{"method-added", Grows, "an interface has one more method", "old servers answer unimplemented"},
		{"method-removed", Breaks, "a method is gone", "old clients get unimplemented"},
		{"method-renamed", Renames, "a method has another name", "programs name it differently"},
		{"method-renumbered", Breaks, "a name has another number", "old clients call something else"},
		{"method-retyped", Breaks,
			"what a method takes or gives is another struct, or its type parameters are more or fewer",
			"old and new read different layouts"},
		{"method-streams", Renames, "a method that gave nothing streams, or the other way",
			"the bytes stay; callers wait for each other differently"},
		{"superclass-added", Grows, "an interface extends one more",
			"old servers answer its methods with unimplemented"},
		{"superclass-removed", Breaks, "an interface extends one less", "calls to its methods have no answer"},

		{"const-changed", Breaks, "a constant has another value", "two sides hold each other to different bounds"},
		{"const-retyped", Breaks, "a constant has another type", "its value means something else"},
		{"annotation-retyped", Breaks, "an annotation's own type or targets changed", "its uses mean something else"},
		{"annotated", Renames, "the use of an annotation was added, removed or changed",
			"generated code changes; bytes only where a codec reads it, as JSON does"},
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

// IDs returns the ids of all rules.
func IDs() []string {
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
	}
	return ids
}
