package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/betmakers/paddock/internal/logline"
)

// console writes records for people at a terminal: time, level, message, key=value. Text that
// looks like another field or line, or that controls the terminal, is quoted. One Write is one
// record.
type console struct {
	out    io.Writer
	colour bool
	groups string // open groups, each with a dot behind it
	attrs  string // attributes of the logger, rendered
}

func newConsole(out io.Writer, colour bool) *console { return &console{out: out, colour: colour} }

// colours reports whether the output is a terminal that shows colours. NO_COLOR disables them.
func colours(cfg Config) bool {
	return cfg.Getenv("NO_COLOR") == "" && logline.IsTerminal(cfg.Output)
}

func (h *console) Enabled(context.Context, slog.Level) bool { return true }

func (h *console) Handle(_ context.Context, r slog.Record) error {
	line := make([]byte, 0, 256)
	if !r.Time.IsZero() {
		line = r.Time.AppendFormat(line, "15:04:05.000 ")
	}
	line = append(line, h.level(r.Level)...)
	line = append(line, ' ')
	line = append(line, plainText(r.Message)...)
	line = append(line, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line = appendAttr(line, h.groups, a)
		return true
	})
	_, err := h.out.Write(append(line, '\n'))
	return err
}

func (h *console) level(l slog.Level) string {
	name := fmt.Sprintf("%-5s", l)
	if !h.colour {
		return name
	}
	colour := 34 // blue
	switch {
	case l >= slog.LevelError:
		colour = 31 // red
	case l >= slog.LevelWarn:
		colour = 33 // yellow
	case l >= slog.LevelInfo:
		colour = 32 // green
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, name)
}

func (h *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	line := []byte(h.attrs)
	for _, a := range attrs {
		line = appendAttr(line, h.groups, a)
	}
	c.attrs = string(line)
	return &c
}

func (h *console) WithGroup(name string) slog.Handler {
	c := *h
	c.groups = h.groups + name + "."
	return &c
}

func appendAttr(line []byte, groups string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups += a.Key + "."
		}
		for _, member := range v.Group() {
			line = appendAttr(line, groups, member)
		}
		return line
	}
	if a.Equal(slog.Attr{}) || (groups == "" && (a.Key == keySpanID || a.Key == keyTraceFlags)) {
		return line // a person follows the trace id
	}
	line = append(line, ' ')
	line = append(line, word(groups+a.Key)...)
	line = append(line, '=')
	return append(line, word(text(v))...)
}
