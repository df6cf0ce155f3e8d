package pinned

import (
	"fmt"
	"strings"
	"time"

	"nexus/libupdates/trust"
)

// An Operator is a key by which somebody comes in over the network.
type Operator struct {
	Key   trust.PublicKey
	Role  string    // a role of daemons/initd
	Until time.Time // when it ends; zero: it does not
}

// Parts of an operator's text.
const (
	untilMark = ",until="
	dateForm  = "2006-01-02"
)

// ParseOperator parses KEY=ROLE or KEY=ROLE,until=TIME, where KEY is a public key as text or a file, and TIME a date or
// a time as in RFC 3339.
func ParseOperator(text string) (o Operator, err error) {
	who, until, limited := strings.Cut(text, untilMark)
	at := strings.LastIndex(who, "=")
	if at < 1 || at == len(who)-1 {
		return o, fmt.Errorf("%q is not KEY=ROLE or KEY=ROLE,until=TIME", text)
	}
	o.Role = who[at+1:]
	if limited {
		if o.Until, err = time.Parse(time.RFC3339, until); err != nil {
			o.Until, err = time.Parse(dateForm, until)
		}
		if err != nil {
			return o, fmt.Errorf("%q is neither a date nor a time as in RFC 3339", until)
		}
	}
	o.Key, err = trust.ReadPublicKey(who[:at])
	return o, err
}

// String returns the text of the operator, with the key itself.
func (o Operator) String() string {
	text := o.Key.Text() + "=" + o.Role
	if !o.Until.IsZero() {
		text += untilMark + o.Until.UTC().Format(time.RFC3339)
	}
	return text
}

// Over reports whether the operator's time is over.
func (o Operator) Over(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }
