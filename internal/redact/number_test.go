package redact_test

import (
	"encoding/json"
	"testing"

	"github.com/betmakers/paddock/internal/redact"
)

// A number of JSON keeps its digits, as a number where one has all of them.
func TestNumbersKeepTheirDigits(t *testing.T) {
	for number, want := range map[json.Number]string{
		"1": "1", "-7": "-7", "9223372036854775807": "9223372036854775807", "12345678901234567890": "12345678901234567890",
		"123456789012345678901": `"123456789012345678901"`, "-12345678901234567890": `"-12345678901234567890"`,
		"0.1": "0.1", "1.50": "1.5", "2e3": "2000", "0.1234567890123456789": `"0.1234567890123456789"`,
		"100000000000000000000.5": `"100000000000000000000.5"`, "1e400": `"1e400"`, "1e-400": `"1e-400"`, "0.0": `"0.0"`,
		"x": `"x"`, "": `""`,
	} {
		got, err := json.Marshal(redact.Value(map[string]any{"n": number}))
		if want := `{"n":` + want + `}`; err != nil || string(got) != want {
			t.Errorf("%s is logged as %s, %v, want %s", number, got, err, want)
		}
	}
}
