package dashboards_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/betmakers/paddock/telemetry/dashboards"
)

type board struct {
	UID, Title, Description string
	Panels                  []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Links                    []struct{ URL string }
		Targets                  []struct{ Expr string }
	}
}

func boards(t *testing.T) (all []board) {
	t.Helper()
	for name, content := range dashboards.Files() {
		if !strings.HasPrefix(name, "grafana/") {
			continue
		}
		var b board
		if err := json.Unmarshal(content, &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name != "grafana/"+b.UID+".json" {
			t.Errorf("%s has the uid %s", name, b.UID)
		}
		all = append(all, b)
	}
	if len(all) != 4 {
		t.Fatalf("found %d dashboards, want 4", len(all))
	}
	return all
}

// A panel tells what it shows, in which unit, and where to read on.
func TestPanelsExplainThemselves(t *testing.T) {
	for _, b := range boards(t) {
		seen := 0
		for _, p := range b.Panels {
			if p.Type == "row" {
				continue
			}
			seen++
			if p.Title == "" || p.FieldConfig.Defaults.Unit == "" || !strings.HasSuffix(p.Description, ".") || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q lacks a title, a unit, a description or a query: %+v", b.Title, p.Title, p)
			}
			if len(p.Links) != 1 {
				t.Errorf("%s: panel %q has %d links, want one", b.Title, p.Title, len(p.Links))
				continue
			}
			leadsSomewhere(t, p.Title, p.Links[0].URL)
		}
		if seen < 6 || b.Description == "" {
			t.Errorf("%s: %d panels, description %q", b.Title, seen, b.Description)
		}
	}
}

func leadsSomewhere(t *testing.T, panel, url string) {
	t.Helper()
	path, ok := strings.CutPrefix(url, "https://github.com/betmakers/paddock/blob/main/")
	page, anchor, _ := strings.Cut(path, "#")
	text, err := os.ReadFile("../../" + page)
	if !ok || err != nil {
		t.Errorf("panel %q leads to %s: %v", panel, url, err)
		return
	}
	for line := range bytes.Lines(text) {
		heading, ok := bytes.CutPrefix(line, []byte("#"))
		slug := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(strings.TrimLeft(string(heading), "#"))), " ", "-")
		if ok && slug == anchor {
			return
		}
	}
	if anchor != "" {
		t.Errorf("panel %q leads to %s, which has no such heading", panel, url)
	}
}

// Panels fill the width of 24 columns, and none covers another.
func TestPanelsDoNotOverlap(t *testing.T) {
	for _, b := range boards(t) {
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range b.Panels {
			if ids[p.ID] {
				t.Errorf("%s: the id %d occurs twice", b.Title, p.ID)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other, ok := taken[[2]int{x, y}]; ok || x > 23 {
						t.Fatalf("%s: %q covers %q, or stands outside, at %d, %d", b.Title, p.Title, other, x, y)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
		for place := range taken {
			for x := range 24 {
				if _, ok := taken[[2]int{x, place[1]}]; !ok {
					t.Fatalf("%s: row %d has a gap at %d", b.Title, place[1], x)
				}
			}
		}
	}
}

// The ConfigMaps hold the same dashboards.
func TestConfigMapsHoldTheDashboards(t *testing.T) {
	files := dashboards.Files()
	maps := strings.Split(string(files["kubernetes/dashboards.yaml"]), "---\n")[1:]
	if len(maps) != 4 {
		t.Fatalf("found %d ConfigMaps, want 4", len(maps))
	}
	for _, text := range maps {
		head, content, _ := strings.Cut(text, ".json: |\n")
		name := head[strings.LastIndex(head, " ")+1:]
		var plain strings.Builder
		for line := range strings.Lines(content) {
			plain.WriteString(strings.TrimPrefix(line, "    "))
		}
		if plain.String() != string(files["grafana/"+name+".json"]) {
			t.Errorf("the ConfigMap of %s holds something else", name)
		}
	}
}
