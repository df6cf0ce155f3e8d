package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nexus/libupdates/policy"
	"nexus/libupdates/updatestest"
)

// A modelRule is a rule as a list of all that it names.
type modelRule struct {
	line      int
	publisher int // 0: any
	bundles   map[string]bool
	ports     map[int]bool
	limit     int
}

// modelNames are the only bundles, modelPorts the only ports of the model's sets.
var modelNames = []string{"a", "ab", "ab.c", "b"}

const modelPorts = 6

// modelKinds are the kinds of powers. In the model a port of the second has modelPorts added once, and so on.
var modelKinds = []string{"net.listen:tcp/", "net.connect:tcp/"}

// modelPower is the text of a power in the model.
func modelPower(port int) string {
	return fmt.Sprint(modelKinds[(port-1)/modelPorts], (port-1)%modelPorts+1)
}

// randomPolicy makes a policy, as text and as the model has it.
func randomPolicy(r *rand.Rand) (string, []modelRule) {
	var text strings.Builder
	var rules []modelRule
	for line := 1; r.IntN(5) > 0 && len(rules) < 6; line += 5 {
		m := modelRule{line, r.IntN(3), map[string]bool{}, map[int]bool{}, r.IntN(4)}
		publisher := "*"
		if m.publisher > 0 {
			publisher = updatestest.Key(byte(m.publisher)).Public().String()
		}
		bundle := []string{"*", "a*", "ab*", "a", "ab", "ab.*"}[r.IntN(6)]
		for _, name := range modelNames {
			beginning, open := strings.CutSuffix(bundle, "*")
			m.bundles[name] = name == bundle || open && strings.HasPrefix(name, beginning)
		}
		var powers []string
		for range 1 + r.IntN(2) {
			kind := r.IntN(len(modelKinds))
			from := 1 + r.IntN(modelPorts)
			to := from + r.IntN(3)
			powers = append(powers, fmt.Sprintf(`"%s%d-%d"`, modelKinds[kind], from, to))
			for port := from; port <= min(to, modelPorts); port++ {
				m.ports[kind*modelPorts+port] = true
			}
		}
		limit := fmt.Sprintf("limit = %d", m.limit)
		if m.limit == 3 {
			m.limit, limit = 1<<10, ""
		}
		text.WriteString(rule(publisher, bundle, strings.Join(powers, ","), limit))
		rules = append(rules, m)
	}
	return text.String(), rules
}

// modelLine is the line that grants a port, or 0: the rules one by one, counted down.
func modelLine(rules []modelRule, left map[string]int, publisher int, bundle string, port int) int {
	for _, m := range rules {
		if (m.publisher == 0 || m.publisher == publisher) && m.bundles[bundle] && m.ports[port] {
			key := fmt.Sprint(m.line, bundle)
			if _, begun := left[key]; !begun {
				left[key] = m.limit
			}
			if left[key] > 0 {
				left[key]--
				return m.line
			}
		}
	}
	return 0
}

// randomSet asks for ports at random, each bundle for each of them at most once.
func randomSet(r *rand.Rand) (set []policy.Asking, ports map[string][]int) {
	ports = map[string][]int{}
	for _, name := range modelNames {
		var texts []string
		for _, i := range r.Perm(modelPorts * len(modelKinds))[:r.IntN(modelPorts)] {
			ports[name] = append(ports[name], i+1)
			texts = append(texts, modelPower(i+1))
		}
		set = append(set, policy.Asking{Bundle: name, Powers: texts})
	}
	return set, ports
}

// Decide decides as a model that enumerates, and a rule that is warned of never grants.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(18, 1))
	granted, denied, warned := 0, 0, 0
	for range 3000 {
		text, rules := randomPolicy(r)
		p, err := policy.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		idle := map[int]bool{}
		for _, warning := range p.Warnings() {
			var line int
			fmt.Sscanf(warning, "line %d:", &line)
			idle[line] = true
			warned++
		}
		publisher := 1 + r.IntN(2)
		set, ports := randomSet(r)
		taken, left := map[int]bool{}, map[string]int{}
		all := p.Decide(anyPort, updatestest.Key(byte(publisher)).Public(), set)
		for _, asking := range set {
			for _, port := range ports[asking.Bundle] {
				want := 0
				if !taken[port] {
					want = modelLine(rules, left, publisher, asking.Bundle, port)
				}
				d := all[0]
				all = all[1:]
				if d.Line != want || idle[want] {
					t.Fatalf("%s %d: got %+v, want line %d, idle %v, in\n%s", asking.Bundle, port, d, want, idle, text)
				}
				if d.Granted() {
					granted++
				} else {
					denied++
				}
			}
			for _, port := range ports[asking.Bundle] {
				taken[port] = port <= modelPorts // any number of bundles may connect to a port
			}
		}
	}
	if granted < 1000 || denied < 1000 || warned < 100 {
		t.Errorf("the model is idle itself: %d granted, %d denied, %d warned", granted, denied, warned)
	}
}
