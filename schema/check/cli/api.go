package cli

import "nexus/schema/check/reference"

// apiVerb writes the API reference.
type apiVerb struct {
	schemas
	generated

	Holders string `placeholder:"FILE" help:"Table of holders: lines 'holder interface provider [grant...]'."`
	Command string `default:"schema-check api" help:"The command that generates the reference, for its first lines."`
}

// Run prints, writes or checks the reference.
func (v *apiVerb) Run(io *streams) error {
	holders, err := v.holders()
	if err != nil {
		return err
	}
	s, err := v.read(io)
	if err != nil {
		return err
	}
	return v.put(io, reference.Write(s, holders, v.Command))
}

func (v *apiVerb) holders() (reference.Holders, error) {
	if v.Holders == "" {
		return nil, nil
	}
	text, err := readFile("holders", v.Holders)
	if err != nil {
		return nil, err
	}
	return reference.ParseHolders(string(text))
}
