package report_test

import (
	"strings"
	"testing"

	"nexus/schema/check/report"
)

func sample() *report.Report {
	r := &report.Report{Check: "compat", Findings: []report.Finding{
		{Rule: "field-added", Symbol: "shop.Order.b", Class: "blessed", Effect: "grows", Verdict: report.Listed,
			Text: "new, @1 List(Text)"},
		{Rule: "field-removed", Symbol: "shop.Order.a", Class: "blessed", Effect: "breaks", Verdict: report.Refused,
			Text: "@0 is gone: a|<b>"},
		{Rule: "field-moved", Symbol: "shop.Order.c", Class: "blessed", Effect: "breaks", Verdict: report.Refused,
			Text: "moved"},
	}}
	waivers, err := report.ParseWaivers("# why\n\nfield-moved shop.Order.*: nobody has one: yet\n")
	if err != nil {
		panic(err)
	}
	waivers.Apply(r.Findings)
	r.Sort()
	return r
}

// TestFormats shows one report in each format.
func TestFormats(t *testing.T) {
	for format, want := range map[report.Format]string{
		report.Text: `refused  shop.Order.a: field-removed: @0 is gone: a|<b>
waived   shop.Order.c: field-moved: moved (waived: nobody has one: yet)
listed   shop.Order.b: field-added: new, @1 List(Text)
compat: 1 refused, 1 waived, 1 listed
`,
		report.Markdown: `### Schema compat: 1 refused, 1 waived, 1 listed

**refused**

| symbol | rule | what |
|---|---|---|
| ` + "`shop.Order.a`" + ` | field-removed | @0 is gone: a\|&lt;b> |

**waived**

| symbol | rule | what |
|---|---|---|
| ` + "`shop.Order.c`" + ` | field-moved | moved (waived: nobody has one: yet) |

**listed**

| symbol | rule | what |
|---|---|---|
| ` + "`shop.Order.b`" + ` | field-added | new, @1 List(Text) |
`,
		report.JSON: `{
  "check": "compat",
  "refused": 1,
  "waived": 1,
  "listed": 1,
  "findings": [
    {
      "rule": "field-removed",
      "symbol": "shop.Order.a",
      "class": "blessed",
      "effect": "breaks",
      "verdict": "refused",
      "text": "@0 is gone: a|<b>"
    },
    {
      "rule": "field-moved",
      "symbol": "shop.Order.c",
      "class": "blessed",
      "effect": "breaks",
      "verdict": "waived",
      "text": "moved",
      "reason": "nobody has one: yet"
    },
    {
      "rule": "field-added",
      "symbol": "shop.Order.b",
      "class": "blessed",
      "effect": "grows",
      "verdict": "listed",
      "text": "new, @1 List(Text)"
    }
  ]
}
`,
	} {
		var b strings.Builder
		if err := sample().Write(&b, format); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s is\n%s\nwant\n%s", format, b.String(), want)
		}
	}
}

// TestRefusesWaiversWithoutReason wants each waiver whole.
func TestRefusesWaiversWithoutReason(t *testing.T) {
	for _, text := range []string{"field-moved\n", "field-moved shop.Order\n", "field-moved shop.Order:\n",
		"field-moved shop.Order: \n", "field-moved: why\n", "a b c: why\n"} {
		if _, err := report.ParseWaivers("# fine\n" + text); err == nil ||
			err.Error() != "cannot read waivers: line 2 is not `rule symbol: reason`" {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
