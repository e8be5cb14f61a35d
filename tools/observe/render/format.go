package main

import (
	"image/color"
	"math"
	"strconv"

	"github.com/betmakers/paddock/tools/observe/contract"
)

// format writes a value in a unit of Grafana.
func format(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "none"
	case unit == "percentunit":
		return number(v*100) + " %"
	case unit == "reqps":
		return number(v) + "/s"
	case unit == "bytes":
		return scaled(v, 1024, "B", "KiB", "MiB", "GiB")
	case unit == "s":
		return duration(v)
	default:
		return scaled(v, 1000, "", "k", "M", "G")
	}
}

func scaled(v, base float64, units ...string) string {
	i := 0
	for math.Abs(v) >= base && i < len(units)-1 {
		v /= base
		i++
	}
	if units[i] == "" {
		return number(v)
	}
	return number(v) + " " + units[i]
}

func duration(v float64) string {
	switch a := math.Abs(v); {
	case a >= 2*86400:
		return number(v/86400) + " d"
	case a >= 2*3600:
		return number(v/3600) + " h"
	case a >= 120:
		return number(v/60) + " min"
	case a >= 1 || a == 0:
		return number(v) + " s"
	default:
		return number(v*1000) + " ms"
	}
}

// number has three digits at most, as nobody reads more.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(math.Round(v*1000)/1000, 'g', 3, 64)
	}
}

// level is the color of a value by the thresholds of its panel.
func level(p contract.Panel, v float64) string {
	name := "green"
	for _, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		if step.Value == nil || v >= *step.Value {
			name = step.Color
		}
	}
	return name
}

func shade(name string) color.RGBA {
	switch name {
	case "red":
		return color.RGBA{0xc0, 0x1c, 0x28, 0xff}
	case "yellow":
		return color.RGBA{0xe5, 0xa5, 0x0a, 0xff}
	default:
		return color.RGBA{0x2e, 0x7d, 0x32, 0xff}
	}
}
