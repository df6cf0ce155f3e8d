// Package policy decides which powers the bundles of a set get on a device: a pure function of the device's policy, the
// set's publisher, and what its bundles ask for. What no rule grants is denied.
package policy
