package cli

import "nexus/schema/check/lint"

// lintVerb holds the schemas to the rules.
type lintVerb struct {
	schemas
	waivers
	format
}

// Run lints and tells what was found.
func (v *lintVerb) Run(io *streams) error {
	waivers, err := v.waivers.read()
	if err != nil {
		return err
	}
	s, err := v.schemas.read(io)
	if err != nil {
		return err
	}
	return v.tell(io, lint.Check(s, waivers))
}
