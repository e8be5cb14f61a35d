package settings_test

import (
	"strings"
	"testing"
)

type (
	common struct {
		DSN  string `env:"DSN, required"`
		Pool int    `env:"POOL, default=10" max:"20"`
	}
	Exported struct {
		Size int `env:"SIZE, default=3" max:"9"`
	}
	loop struct {
		Name string `env:"NAME, default=x"`
		Next *loop  `env:", prefix=NEXT_"`
	}
	plain struct{ Count int } // without settings
)

// explosive is a value whose method panics.
type explosive struct{}

func (*explosive) UnmarshalText([]byte) error { panic("boom") }

// Settings in nested structs are filled, or an error says why they cannot be.
func TestNestedStructs(t *testing.T) {
	env := map[string]string{"DSN": "x", "P_SIZE": "7", "SIZE": "5", "BANG": "x"}
	pointers := struct {
		*Exported
		P *Exported `env:", prefix=P_"`
		N *plain
	}{}
	list, err := load(t, false, env, &pointers)
	if err != nil || pointers.Exported == nil || pointers.Size != 5 || pointers.P == nil || pointers.P.Size != 7 || pointers.N != nil {
		t.Errorf("got %+v, %v", pointers, err)
	}
	if list["P_SIZE"].Value != "7" || list["SIZE"].Limits == "" {
		t.Errorf("got the list %+v", list)
	}
	var round loop
	if _, err := load(t, false, env, &round); err != nil || round.Name != "x" || round.Next != nil {
		t.Errorf("a type that holds itself: got %+v, %v", round, err)
	}
	for want, target := range map[string]any{
		"field common has settings in it but is not exported": &struct {
			common
			Port int `env:"PORT2, default=80"`
		}{},
		"field inner has settings in it but is not exported": &struct{ inner Exported }{},
		"field far has settings in it but is not exported":   &struct{ far *Exported }{},
		"P_SIZE is 99": &struct {
			P *Exported `env:", prefix=P_"`
		}{},
		"BANG": &struct {
			Bang explosive `env:"BANG"`
		}{},
	} {
		if want == "P_SIZE is 99" {
			env["P_SIZE"] = "99"
		}
		if _, err := load(t, false, env, target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := load(t, false, env, &struct{ common plain }{}); err != nil {
		t.Errorf("an unexported struct without settings: %v", err)
	}
}
