package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

const maxLevelBytes = 1024

// A temporary level lasts at least as long as a person needs to see it and at
// most a day: longer is a setting.
const (
	minLevelFor = time.Second
	maxLevelFor = 24 * time.Hour
)

// levelChange is a request for another log level.
type levelChange struct {
	Level slog.Level
	For   time.Duration // 0: for good
}

func (c levelChange) String() string {
	text := "log level " + levelName(c.Level)
	if c.For > 0 {
		text += " for " + c.For.String()
	}
	return text
}

// parseLevelChange reads what a person or a program may send: a form
// ("level=debug&for=10m", also as the query), a JSON object of the same two
// fields, or the bare word ("debug"). The body is judged by its looks, because
// curl -d calls everything a form.
func parseLevelChange(rawQuery, body string) (levelChange, error) {
	fields, err := url.ParseQuery(rawQuery)
	if err != nil {
		return levelChange{}, fmt.Errorf("cannot read the query: %w", err)
	}
	if err := addBody(fields, strings.TrimSpace(body)); err != nil {
		return levelChange{}, err
	}
	level, err := single(fields, "level")
	if err != nil {
		return levelChange{}, err
	}
	duration, err := single(fields, "for")
	if err != nil {
		return levelChange{}, err
	}
	for name := range fields {
		if name != "level" && name != "for" {
			return levelChange{}, fmt.Errorf("unknown field %q: expected level and, optionally, for", name)
		}
	}
	return newLevelChange(level, duration)
}

func newLevelChange(level, duration string) (levelChange, error) {
	var c levelChange
	switch strings.ToLower(level) {
	case "debug":
		c.Level = slog.LevelDebug
	case "info":
		c.Level = slog.LevelInfo
	case "warn":
		c.Level = slog.LevelWarn
	case "error":
		c.Level = slog.LevelError
	default:
		return levelChange{}, fmt.Errorf("level %q: expected debug, info, warn or error", level)
	}
	if duration == "" {
		return c, nil
	}
	d, err := time.ParseDuration(duration)
	if err != nil || d < minLevelFor || d > maxLevelFor {
		return levelChange{}, fmt.Errorf("for %q: expected a duration such as 10m, from %v to %v, or nothing to change it for good",
			duration, minLevelFor, maxLevelFor)
	}
	c.For = d
	return c, nil
}

// addBody adds what stands in the body to the fields of the query.
func addBody(fields url.Values, body string) error {
	switch {
	case body == "":
		return nil
	case strings.HasPrefix(body, "{"):
		return addJSON(fields, body)
	case strings.Contains(body, "="):
		form, err := url.ParseQuery(body)
		if err != nil {
			return fmt.Errorf("cannot read the form: %w", err)
		}
		for name, values := range form {
			fields[name] = append(fields[name], values...)
		}
	default:
		fields.Add("level", body)
	}
	return nil
}

func addJSON(fields url.Values, body string) error {
	var object struct{ Level, For string }
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&object); err != nil {
		return fmt.Errorf(`cannot read the JSON (expected {"level": "debug", "for": "10m"}): %w`, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("more than one JSON value: expected one object")
	}
	fields.Add("level", object.Level)
	fields.Add("for", object.For)
	return nil
}

// single returns a field's one value that is not empty, and "" if it has none.
func single(fields url.Values, name string) (string, error) {
	value := ""
	for _, v := range fields[name] {
		if v != "" && value != "" {
			return "", fmt.Errorf("%s is given twice: %q and %q", name, value, v)
		}
		if v != "" {
			value = v
		}
	}
	return value, nil
}
