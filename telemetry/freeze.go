package telemetry

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"

	"github.com/betmakers/paddock/internal/redact"
)

// The approximate size of a record and an attribute, without their texts, in bytes.
const (
	recordSize = 300
	attrSize   = 48
)

// frozen returns a copy of a record that shares no memory with the arguments of the log call, and
// its size. The record is redacted: its values are plain values, trees of them, and errors.
func frozen(r slog.Record) (slog.Record, int) {
	f := freezer{size: recordSize + len(r.Message)}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(f.attr(a))
		return true
	})
	return out, f.size
}

// freezer copies values and adds up their sizes.
type freezer struct{ size int }

// attrs freezes attrs in place.
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

// errorText returns the text of an error. Error has worked once before, but may fail now.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = "[unreadable]"
		}
	}()
	return redact.Valid(redact.Error(err))
}

// recordedError is the text of an error at the time of the log call.
type recordedError string

func (e recordedError) Error() string { return string(e) }
