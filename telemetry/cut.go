package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

const (
	longestLine  = 512 << 10 // bytes of a line; the buffer of the output holds two of them
	shortestPart = 64        // bytes left of a value that is cut
	longestKey   = 256       // bytes of a key in a line that is cut
)

// cutter cuts lines that are too long for the buffer of the output.
type cutter struct {
	out  io.Writer
	json bool
}

func (c cutter) Write(line []byte) (int, error) {
	if len(line) <= longestLine {
		return c.out.Write(line)
	}
	cut := cutText
	if c.json {
		cut = cutJSON
	}
	_, err := c.out.Write(cut(line, longestLine))
	return len(line), err
}

// cutText cuts a line of the text format, and keeps its trace id.
func cutText(line []byte, limit int) []byte {
	var id []byte
	head := line[:limit-shortestPart*2]
	if i := bytes.Index(line, []byte(" "+keyTraceID+"=")); i > len(head)-shortestPart {
		id = line[i:min(len(line), i+len(keyTraceID)+34)]
	}
	head = bytes.ToValidUTF8(head, nil)
	return fmt.Appendf(nil, "%s... [cut, was %d bytes]%s\n", head, len(line), bytes.TrimSpace(id))
}

// member is one key of a line with its value as JSON.
type member struct {
	key   string
	value []byte
}

// cutJSON cuts the largest values of a line until it fits into limit, and keeps the others. A cut
// value becomes a text with a mark. If there are too many values, the last ones are left out,
// except essential ones. A line that is not a JSON object is returned unchanged.
func cutJSON(line []byte, limit int) []byte {
	members, err := membersOf(line)
	if err != nil {
		return line
	}
	limit -= 2 * shortestPart // for the braces and the note about members left out
	kept := slices.DeleteFunc(slices.Clone(members), func(m member) bool { return len(m.key) > longestKey })
	size := func(m member, level int) int { return 2*len(m.key) + min(len(m.value), level+shortestPart) + 8 }
	total := func(level int) (sum int) {
		for _, m := range kept {
			sum += size(m, level)
		}
		return sum
	}
	level := limit
	for level > shortestPart && total(level) > limit {
		level -= level/8 + 1
	}
	for i, sum := len(kept)-1, total(level); i >= 0 && sum > limit; i-- {
		if !essential(kept[i].key) {
			sum -= size(kept[i], level)
			kept = slices.Delete(kept, i, i+1)
		}
	}
	out := append(make([]byte, 0, limit), '{')
	for _, m := range kept {
		out = append(append(append(out, quoted(m.key)...), ':'), shortened(m.value, level)...)
		out = append(out, ',')
	}
	if n := len(members) - len(kept); n > 0 {
		return fmt.Appendf(out, "\"cut\":\"%d attributes\"}\n", n)
	}
	out[len(out)-1] = '}'
	return append(out, '\n')
}

// essential reports whether readers find a line by this key.
func essential(key string) bool {
	switch key {
	case "time", "level", "msg", keyTraceID, keySpanID, keyTraceFlags, "method", "code":
		return true
	}
	return false
}

// membersOf splits a JSON object into its members.
func membersOf(line []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("telemetry: a line is no JSON object: %w", err)
	}
	var members []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		text, _ := key.(string) // the decoder accepts no other
		members = append(members, member{text, value})
	}
	_, err := d.Token()
	return members, err
}

// shortened returns at most level bytes of a value, followed by a mark.
func shortened(value []byte, level int) []byte {
	if len(value) <= level+shortestPart {
		return value
	}
	text := value
	if value[0] != '"' {
		text = quoted(string(bytes.ToValidUTF8(value[:level], nil)))
	}
	end := 1
	for end < len(text)-1 {
		var n int
		switch {
		case text[end] == '\\' && text[end+1] == 'u':
			n = 6
		case text[end] == '\\':
			n = 2
		default:
			_, n = utf8.DecodeRune(text[end:])
		}
		if end+n > level {
			break
		}
		end += n
	}
	return fmt.Appendf(nil, `%s... [cut, was %d bytes]"`, text[:end], len(value))
}

func quoted(s string) []byte {
	raw, _ := json.Marshal(s) //nolint:errchkjson // a string has always a form
	return raw
}
