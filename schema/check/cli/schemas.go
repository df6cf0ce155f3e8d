package cli

import (
	"errors"
	"io"

	"nexus/schema/check/source"
	"nexus/schema/check/surface"
)

// schemas selects the schemas for a verb.
type schemas struct {
	Paths []string `arg:"" optional:"" name:"path" help:"Schema files, or folders of them."`

	Import           []string      `short:"I" sep:"none" placeholder:"DIR" help:"Search imports that start with / here; may be repeated."`
	NoStandardImport bool          `help:"Do not search them elsewhere."`
	SrcPrefix        string        `placeholder:"DIR" help:"Remove this from the files' names. Default: the folder, if just one is given."`
	Request          string        `placeholder:"FILE" help:"Read the output of 'capnp compile -o-' instead of compiling; - for stdin."`
	DefaultClass     surface.Class `enum:"lockstep,blessed" default:"lockstep" help:"Class of files that do not state one: lockstep or blessed."`
}

// Validate refuses schemas from two sources.
func (s *schemas) Validate() error {
	if (len(s.Paths) == 0) == (s.Request == "") {
		return errors.New("name schema files or folders, or --request, not both")
	}
	return nil
}

// read compiles and reads the schemas.
func (s *schemas) read(io *streams) (*surface.Surface, error) {
	request, err := s.compiled(io)
	if err != nil {
		return nil, err
	}
	return surface.Read(request, s.options())
}

func (s *schemas) options() surface.Options { return surface.Options{Default: s.DefaultClass} }

func (s *schemas) compiled(streams *streams) ([]byte, error) {
	switch s.Request {
	case "":
		return source.Compile(s.input(s.Paths))
	case "-":
		return io.ReadAll(io.LimitReader(streams.in, surface.MaxRequestBytes+1))
	}
	return readFile("request", s.Request)
}

// input returns how to compile the paths. An old version is compiled the same way as the new one.
func (s *schemas) input(paths []string) source.Input {
	return source.Input{Paths: paths, Imports: s.Import, NoStandardImport: s.NoStandardImport, Prefix: s.SrcPrefix}
}
