package inbound

// Step is one of the steps of a call, with the reason for its place among them.
type Step struct{ Name, Reason string }

// Steps returns the steps of a call in their order, for people. They are those of the package's
// documentation, which has their places in the code; a test compares the two.
func Steps() []Step {
	return []Step{
		{"observe", "span, metrics, log line, recovery: a refusal has them too"},
		{"deadline", "the method's own, where the caller's is later or missing"},
		{"spent", "a call whose time is over: nothing is cheaper to find"},
		{"identity", "certificate and token: what follows goes by the caller"},
		{"rate limit", "for each caller, before more is done for it"},
		{"cross-site", "no other site's page calls in a user's name"},
		{"authorize", "the declared callers: only these wait for a place"},
		{"admission", "in an overload calls wait or are refused"},
		{"audit", "recorded before it runs, once it is let in"},
		{"faults", "injected in the place of the handler, and seen as its"},
		{"message", "read, bounded, validated: the costly part comes late"},
		{"interceptors", "the service's own, with the message at hand"},
		{"handler", "the service's code"},
	}
}
