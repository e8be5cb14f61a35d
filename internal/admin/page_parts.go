package admin

import (
	"strconv"
	"time"

	"github.com/betmakers/paddock/internal/html"
)

// head is that of every page under /debug, with its style sheet.
func head(title string) html.Part {
	return html.El("head", html.Leaf("title", title), meta(),
		html.El("link", html.Attr("rel", "stylesheet"), html.Attr("href", "/debug/style.css")))
}

func meta() html.Part {
	return html.All(
		html.El("meta", html.Attr("charset", "utf-8")),
		html.El("meta", html.Attr("name", "viewport"), html.Attr("content", "width=device-width, initial-scale=1")),
		html.El("meta", html.Attr("name", "color-scheme"), html.Attr("content", "light dark")),
	)
}

// counted is the title of a card, with how many things are in it.
func counted(title string, n int) html.Part {
	return html.El("h2", html.Text(title+" "), html.Leaf("span.n", strconv.Itoa(n)))
}

// state is a word with the colour of its tone.
func state(word string) html.Part {
	return html.El("span", html.Class("state "+tone(word)), html.Text(word))
}

// moment says when something is, seen from now; the title has it in full.
func moment(now, t time.Time) html.Part {
	return html.El("span", html.Title(absolute(t)), html.Text(relative(now, t)))
}

func dim(text string) html.Part { return html.Leaf("span.dim", text) }

// nothing is what a card says that has nothing to list.
func nothing(text string) html.Part { return html.Leaf("p.dim", text) }

// table scrolls sideways by itself where a screen is too narrow for it.
func table(heads html.Part, bodies ...html.Part) html.Part {
	return html.El("div.scroll", html.El("table", html.El("thead", html.El("tr", heads)), html.All(bodies...)))
}

func columns(names ...string) html.Part {
	return html.Each(names, func(name string) html.Part { return html.Leaf("th", name) })
}

func number(name string) html.Part { return html.Leaf("th.num", name) }
