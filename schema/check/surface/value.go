package surface

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"strings"

	"capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/std/capnp/schema"
)

// value returns a value as schema text. For structs and lists it is the digest of their canonical form, which is enough
// to compare them.
func (d *decoder) value(v schema.Value, t Type) string {
	switch v.Which() {
	case schema.Value_Which_bool:
		return strconv.FormatBool(v.Bool())
	case schema.Value_Which_int8:
		return strconv.Itoa(int(v.Int8()))
	case schema.Value_Which_int16:
		return strconv.Itoa(int(v.Int16()))
	case schema.Value_Which_int32:
		return strconv.Itoa(int(v.Int32()))
	case schema.Value_Which_int64:
		return strconv.FormatInt(v.Int64(), 10)
	case schema.Value_Which_uint8:
		return strconv.Itoa(int(v.Uint8()))
	case schema.Value_Which_uint16:
		return strconv.Itoa(int(v.Uint16()))
	case schema.Value_Which_uint32:
		return strconv.FormatUint(uint64(v.Uint32()), 10)
	case schema.Value_Which_uint64:
		return strconv.FormatUint(v.Uint64(), 10)
	case schema.Value_Which_float32:
		return float(float64(v.Float32()), 32)
	case schema.Value_Which_float64:
		return float(v.Float64(), 64)
	case schema.Value_Which_enum:
		return d.enumerant(t.ID, v.Enum())
	case schema.Value_Which_text:
		return strconv.Quote(ok(v.Text())(d))
	case schema.Value_Which_data:
		return fmt.Sprintf("0x%q", fmt.Sprintf("%x", ok(v.Data())(d)))
	case schema.Value_Which_list:
		return d.digest(ok(v.List())(d))
	case schema.Value_Which_structValue:
		return d.digest(ok(v.StructValue())(d))
	case schema.Value_Which_anyPointer:
		return d.digest(ok(v.AnyPointer())(d))
	}
	return "void"
}

// float writes NaN as in schema text, so that the result does not depend on its bits.
func float(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

// isZero reports whether the text is the zero value of the type.
func isZero(text string, t Type) bool {
	if t.Kind == "enum" {
		return strings.HasSuffix(text, "@0")
	}
	return text == zeroOf(t)
}

func zeroOf(t Type) string {
	switch t.Kind {
	case "Void":
		return "void"
	case "Bool":
		return "false"
	case "Text":
		return `""`
	case "Data":
		return `0x""`
	}
	if _, sized := dataBits[t.Kind]; sized {
		return "0"
	}
	return "()"
}

// enumerant returns a value of an enum: its name, if the enum is in the request, and its number, which is what counts.
func (d *decoder) enumerant(id uint64, number uint16) string {
	name := ""
	if n, found := d.nodes[id]; found && n.Which() == schema.Node_Which_enum {
		if all := ok(n.Enum().Enumerants())(d); int(number) < all.Len() {
			name = ok(all.At(int(number)).Name())(d)
		}
	}
	return fmt.Sprintf("%s@%d", name, number)
}

// digest returns the digest of a struct, list or capability value, or `()` if it is null.
func (d *decoder) digest(p capnp.Ptr) string {
	if !p.IsValid() {
		return "()"
	}
	_, seg, err := capnp.NewMessage(capnp.SingleSegment(nil))
	if err != nil {
		d.fail(err)
		return ""
	}
	holder := ok(capnp.NewRootStruct(seg, capnp.ObjectSize{PointerCount: 1}))(d)
	if d.err != nil {
		return ""
	}
	if err := holder.SetPtr(0, p); err != nil {
		d.fail(err)
		return ""
	}
	sum := sha256.Sum256(ok(capnp.Canonicalize(holder))(d))
	return fmt.Sprintf("sha256:%x", sum[:8])
}

func (d *decoder) annotations(all schema.Annotation_List) []Annotation {
	var out []Annotation
	for a := range each(all) {
		out = append(out, Annotation{ID: a.Id(), Name: d.nameOf(a.Id(), scope{}),
			Value: d.value(ok(a.Value())(d), Type{})})
	}
	return out
}
