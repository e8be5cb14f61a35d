package main

import "html/template"

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Paddock: dashboards</title>
<style>
body{font:14px/1.4 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1c1e21}
section{max-width:1500px;margin:0 auto 40px;padding:16px 24px}
h1{font-size:22px;margin:8px 0 0}
h2{font-size:15px;margin:18px 0 6px;color:#555}
header p{margin:2px 0 8px;color:#555}
.grid{display:grid;grid-template-columns:repeat(24,1fr);gap:10px}
.row{grid-column:1/-1;font-weight:600;color:#555;margin:10px 0 -4px}
.panel{background:#fff;border:1px solid #dfe1e5;border-radius:6px;padding:10px 12px;min-width:0;display:flex;flex-direction:column}
.panel h3{font-size:14px;margin:0}
.panel h3 a{color:inherit;text-decoration:none}
.panel .about{font-size:12px;color:#666;margin:0 0 6px}
svg{width:100%;height:auto;display:block}
.stat{font-size:30px;font-weight:700;color:#fff;border-radius:4px;text-align:center;padding:10px 4px;margin-top:auto}
.green{background:#2e7d32}.yellow{background:#e5a50a}.red{background:#c01c28}
ul{list-style:none;margin:6px 0 0;padding:0;font-size:12px}
li{display:flex;justify-content:space-between;gap:8px}
li span:first-child{overflow-wrap:anywhere}
i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
.bar{position:relative;background:#eceef1;border-radius:3px;height:22px;margin:2px 0 8px}
.bar div{height:100%;border-radius:3px;min-width:3px}
table{border-collapse:collapse;width:100%;font-size:13px}
td{border-top:1px solid #eee;padding:4px 6px;overflow-wrap:anywhere}
td:last-child{text-align:right;white-space:nowrap}
td b{color:#fff;border-radius:3px;padding:1px 8px}
.none{color:#888;margin:auto;padding:20px}
</style></head><body>
{{range .}}<section id="{{.ID}}"><header><h1>{{.Title}}{{with .Service}}: {{.}}{{end}}</h1><p>{{.Description}} As it was at {{.When}}.</p></header><div class="grid">
{{range .Panels}}{{if .Row}}<div class="row">{{.Title}}</div>{{else}}<div class="panel" style="grid-column:span {{.GridPos.W}}"><h3><a href="{{.Link}}">{{.Title}}</a></h3><p class="about">{{.Description}}</p>{{.Body}}</div>{{end}}
{{end}}</div></section>{{end}}
</body></html>
{{define "plot"}}{{.SVG}}<ul>{{range .Lines}}<li><span><i style="background:{{.Color}}"></i>{{.Name}}</span><b>{{.Value}}</b></li>{{end}}</ul>{{end}}
{{define "stat"}}<div class="stat {{.Level}}">{{.Value}}</div>{{end}}
{{define "bars"}}{{range .}}<div>{{.Name}}: <b>{{.Value}}</b></div><div class="bar"><div class="{{.Level}}" style="width:{{.Share}}%"></div></div>{{end}}{{end}}
{{define "table"}}<table>{{range .}}<tr><td>{{.Name}}</td><td><b class="{{.Level}}">{{.Value}}</b></td></tr>{{end}}</table>{{end}}
`))
