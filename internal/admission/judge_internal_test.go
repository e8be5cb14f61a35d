package admission

import (
	"testing"
	"time"
)

// A window in which calls die is not enough for an overload, but soon after one it is: until nobody
// has waited for some time, on a line that is never without events.
func TestOverloadIsForgotten(t *testing.T) {
	var at time.Duration
	j := judge{}
	window := func(died, waiting int) {
		j.let, j.arrived, j.died = enoughLet, enoughLet+died, died
		for range judged / stillness {
			at += stillness
			j.event(at, waiting)
		}
	}
	overloaded := func() bool { window(enoughLet, 5); return j.overload }
	for range 3 {
		window(enoughLet, 5)
	}
	if !j.overload {
		t.Fatal("calls die in three windows, and it is no overload")
	}
	for j.overload { // by its time
		window(enoughLet, 5)
	}
	if !overloaded() {
		t.Error("calls die again at once, and it is no overload")
	}
	for j.overload {
		window(enoughLet, 5)
	}
	for range calms {
		window(0, 0)
	}
	if overloaded() {
		t.Error("long after an overload one window is enough for another")
	}
}

// What a share does not ask for is divided among those who ask for more.
func TestDivide(t *testing.T) {
	for _, test := range []struct {
		name string
		let  int
		came map[uint8]uint16
		want float32
	}{
		{"nobody", 10, nil, 0},
		{"all are satisfied", 10, map[uint8]uint16{1: 3, 2: 7}, 7},
		{"two that ask for too much", 10, map[uint8]uint16{1: 8, 2: 100}, 5},
		{"small ones beside one that asks for too much", 40, map[uint8]uint16{1: 2, 2: 4, 3: 4, 4: 200}, 30},
		{"in steps", 60, map[uint8]uint16{1: 2, 2: 18, 3: 21, 4: 300}, 20},
		{"none was let in", 0, map[uint8]uint16{1: 5, 2: 5}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := judge{let: test.let}
			for range 100 * smooth { // the average comes near what came
				for share, n := range test.came {
					j.now[share] = n
				}
				j.divide()
			}
			if d := j.fair - test.want; d < -.01 || d > .01 {
				t.Errorf("each may have %.2f of %d, want %.2f", j.fair, test.let, test.want)
			}
		})
	}
}
