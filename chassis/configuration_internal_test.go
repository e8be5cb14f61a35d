package chassis

import "testing"

// An error about one setting is not taken for one about another whose name begins alike.
func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		"":                             false,
		"CHASSIS_AUDIT_LOG_MODE needs": false,
		"CHASSIS_AUDIT_LOG_MODE needs CHASSIS_AUDIT_LOG=all": true,
		"set CHASSIS_AUDIT_LOG":                              true,
		"CHASSIS_AUDIT_LOG2 and CHASSIS_AUDIT_LOG, too":      true,
	} {
		if got := mentions(text, "CHASSIS_AUDIT_LOG"); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}
