package telemetry

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"

	"github.com/betmakers/paddock/internal/redact"
)

// What a record and an attribute take beside their texts, roughly.
const (
	recordSize = 300
	attrSize   = 48
)

// frozen returns a record that shares nothing with what the log call was given, and its size. It has
// been redacted: its values are plain ones, trees of them, and errors.
func frozen(r slog.Record) (slog.Record, int) {
	f := freezer{size: recordSize + len(r.Message)}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(f.attr(a))
		return true
	})
	return out, f.size
}

// freezer copies values and sums up what they take.
type freezer struct{ size int }

// attrs freezes attrs in their place.
func (f *freezer) attrs(attrs []slog.Attr) []slog.Attr {
	for i, a := range attrs {
		attrs[i] = f.attr(a)
	}
	return attrs
}

func (f *freezer) attr(a slog.Attr) slog.Attr {
	f.size += attrSize + len(a.Key)
	switch a.Value.Kind() {
	case slog.KindString:
		f.size += len(a.Value.String())
	case slog.KindGroup:
		a.Value = slog.GroupValue(f.attrs(slices.Clone(a.Value.Group()))...)
	case slog.KindAny:
		a.Value = slog.AnyValue(f.value(a.Value.Any()))
	}
	return a
}

func (f *freezer) value(v any) any {
	f.size += attrSize
	switch v := v.(type) {
	case string:
		f.size += len(v)
	case []byte:
		f.size += len(v)
		return bytes.Clone(v)
	case []any:
		out := slices.Clone(v)
		for i, e := range out {
			out[i] = f.value(e)
		}
		return out
	case map[string]any:
		out := maps.Clone(v)
		for key, e := range out {
			f.size += len(key)
			out[key] = f.value(e)
		}
		return out
	case error:
		text := errorText(v)
		f.size += len(text)
		return recordedError(text)
	}
	return v
}

// errorText is the text of an error. It has been tried, but nothing says that it works twice.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "[unreadable]"
		}
	}()
	return redact.Valid(redact.Error(err))
}

// recordedError is what an error said when it was logged.
type recordedError string

func (e recordedError) Error() string { return string(e) }
