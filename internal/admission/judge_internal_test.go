package admission

import "testing"

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
