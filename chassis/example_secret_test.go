package chassis_test

import (
	"encoding/json"
	"fmt"

	"github.com/betmakers/paddock/chassis"
)

// Whatever prints, logs or marshals a secret has [REDACTED] in its place. As a field of
// [chassis.Service].Config it is filled from the environment.
func ExampleSecret() {
	var cfg struct {
		User     string                 `env:"DB_USER, default=tote"`
		Password chassis.Secret[string] `env:"DB_PASSWORD, required"`
	}
	cfg.User = "tote"
	cfg.Password.Set("swordfish")

	fmt.Printf("%+v\n", cfg)
	text, err := json.Marshal(cfg)
	fmt.Println(string(text), err)
	fmt.Println(cfg.Password.Reveal()) // for the driver of the database alone
	// Output:
	// {User:tote Password:[REDACTED]}
	// {"User":"tote","Password":"[REDACTED]"} <nil>
	// swordfish
}
