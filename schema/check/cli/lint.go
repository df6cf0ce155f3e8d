package cli

import "nexus/schema/check/lint"

// lintVerb checks the schemas against the rules.
type lintVerb struct {
	schemas
	waivers
	format
}

// Run lints the schemas and reports the findings.
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
