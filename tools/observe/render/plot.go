package main

import (
	"bytes"
	"image/color"
	"math"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/betmakers/paddock/tools/observe/contract"
)

// palette is Okabe and Ito's, which readers who do not see all colors can tell apart.
var palette = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x80, 0x80, 0x80, 0xff}, {0x00, 0x00, 0x00, 0xff},
}

func colorOf(i int) color.RGBA { return palette[i%len(palette)] }

// line is one series of a plot.
type line struct {
	name   string
	color  color.RGBA
	values []sample
}

const gap = 5 * time.Second // a line is broken where samples are missing for longer

// draw plots the lines of a panel as SVG.
func drawPlot(p contract.Panel, lines []line, from, to time.Time, width, height vg.Length) (string, error) {
	pl := plot.New()
	pl.BackgroundColor = color.Transparent
	pl.X.Min, pl.X.Max = 0, to.Sub(from).Seconds()
	pl.Y.Min, pl.Y.Max = 0, topOf(lines)
	pl.X.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		return ticks(low, high, 30*math.Ceil((high-low)/90), func(v float64) string { return from.Add(time.Duration(v * float64(time.Second))).Format("15:04:05") })
	})
	pl.X.Tick.Label.Font.Variant, pl.Y.Tick.Label.Font.Variant = "Sans", "Sans"
	unit := p.FieldConfig.Defaults.Unit
	pl.Y.Tick.Marker = plot.TickerFunc(func(_, high float64) []plot.Tick {
		return ticks(0, high, nice(high/4), func(v float64) string { return format(v, unit) })
	})
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xe8}, color.Gray{0xe8}
	pl.Add(grid)
	for i, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		if i > 0 && step.Value != nil && *step.Value <= pl.Y.Max {
			limit, err := plotter.NewLine(plotter.XYs{{X: 0, Y: *step.Value}, {X: pl.X.Max, Y: *step.Value}})
			if err != nil {
				return "", err
			}
			limit.Color, limit.Dashes = shade(step.Color), []vg.Length{vg.Points(4), vg.Points(3)}
			pl.Add(limit)
		}
	}
	for _, l := range lines {
		for _, run := range runs(l.values, from) {
			drawn, err := plotter.NewLine(run)
			if err != nil {
				return "", err
			}
			drawn.Color, drawn.Width = l.color, vg.Points(1.8)
			pl.Add(drawn)
		}
	}
	canvas := vgsvg.New(width, height)
	pl.Draw(draw.New(canvas))
	var b bytes.Buffer
	_, err := canvas.WriteTo(&b)
	_, svg, _ := strings.Cut(b.String(), "<svg") // without the head of an XML document
	return "<svg" + svg, err
}

func topOf(lines []line) float64 {
	top := 0.0
	for _, l := range lines {
		for _, s := range l.values {
			if !math.IsInf(s.value, 0) && s.value > top {
				top = s.value
			}
		}
	}
	if top == 0 {
		return 1
	}
	return top * 1.08
}

// runs splits a series where samples are missing.
func runs(values []sample, from time.Time) (all []plotter.XYs) {
	var run plotter.XYs
	var last time.Time
	for _, s := range values {
		if math.IsNaN(s.value) || math.IsInf(s.value, 0) {
			continue
		}
		if len(run) > 0 && s.time.Sub(last) > gap {
			all, run = append(all, run), nil
		}
		run, last = append(run, plotter.XY{X: s.time.Sub(from).Seconds(), Y: s.value}), s.time
	}
	if len(run) > 0 {
		all = append(all, run)
	}
	return all
}

func ticks(low, high, step float64, label func(float64) string) (all []plot.Tick) {
	if step <= 0 {
		return nil
	}
	for v := math.Ceil(low/step) * step; v <= high*1.0001; v += step {
		all = append(all, plot.Tick{Value: v, Label: label(v)})
	}
	return all
}

// nice is a round number near v.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	magnitude := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if v <= m*magnitude {
			return m * magnitude
		}
	}
	return v
}
