package damage

import (
	"fmt"
	"strings"
)

// A Tally counts cells by user, time and outcome.
type Tally map[[3]string]int

func (t Tally) add(r Result) {
	if len(r.Wrong) > 0 {
		r.Outcome = none
	}
	t[[3]string{r.Cell.User.Name, r.Cell.Time, string(r.Outcome)}]++
}

// table is the table of the documentation.
func (t Tally) table() string {
	columns := []Outcome{asBefore, other, ended, waits, none}
	out := fmt.Sprintf("| user | time | cells | %s | %s | %s | %s | violations |\n", asBefore, other, ended, waits)
	out += strings.Repeat("|---", 8) + "|\n"
	for _, u := range []string{"root", "user"} {
		for _, time := range times() {
			sum, cells := 0, ""
			for _, column := range columns {
				n := t[[3]string{u, time, string(column)}]
				sum, cells = sum+n, cells+fmt.Sprintf(" %d |", n)
			}
			if sum > 0 {
				out += fmt.Sprintf("| %s | %s | %d |%s\n", u, time, sum, cells)
			}
		}
	}
	return out
}
