// Reads openapi.json, which lies beside this page, and lays it out.
import { el, prose, Schemas } from "./schema.js";
import { curl, requestOf, send } from "./try.js";

const verbs = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
const byId = (id) => document.getElementById(id);

async function main() {
  const answer = await fetch("openapi.json", { cache: "no-cache" });
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  const doc = await answer.json();
  document.title = `${doc.info.title} · REST interface`;
  byId("title").textContent = doc.info.title;
  byId("version").textContent = doc.info.version;

  const schemas = new Schemas(doc);
  const groups = grouped(doc);
  byId("main").replaceChildren(
    ...(doc.info.description ? [el("p", { class: "lead" }, prose(doc.info.description))] : []),
    ...groups.map((g) => group(g, schemas)),
    ...byGRPC(doc["x-grpc-methods"] ?? []),
  );
  if (!groups.length) byId("main").append(el("p", { class: "dim" }, "No method of this service is declared for REST."));
  byId("nav").append(...groups.flatMap(links));
  search();
  openLinked();
  addEventListener("hashchange", openLinked);
}

/** grouped returns the operations by tag, in the document's order. */
function grouped(doc) {
  const groups = new Map((doc.tags ?? []).map((t) => [t.name, { ...t, operations: [] }]));
  for (const [path, item] of Object.entries(doc.paths ?? {})) {
    for (const verb of verbs.filter((v) => item[v])) {
      const name = item[verb].tags?.[0] ?? "";
      if (!groups.has(name)) groups.set(name, { name, operations: [] });
      groups.get(name).operations.push({ ...item[verb], path, verb });
    }
  }
  return [...groups.values()].filter((g) => g.operations.length);
}

function links({ name, operations }) {
  return [
    el("h2", {}, name),
    ...operations.map((o) => el("a", { href: "#" + o.operationId, "data-find": find(o), title: `${o.verb.toUpperCase()} ${o.path}` },
      verb(o), el("span", {}, o.summary))),
  ];
}

function group({ name, description, operations }, schemas) {
  return el("section", { class: "tag" }, el("h2", {}, name), description ? el("p", {}, prose(description)) : "",
    ...operations.map((o) => operation(o, schemas)));
}

/** byGRPC lists the methods that have no route, so that a reader does not look for one. */
function byGRPC(methods) {
  if (!methods.length) return [];
  return [el("section", { class: "tag" }, el("h2", {}, "By gRPC alone"),
    el("p", {}, "These methods declare no HTTP route."),
    ...methods.map((m) => el("div", { class: "op" + (m.deprecated ? " old" : ""), "data-find": (m.method + " " + m.summary).toLowerCase() },
      el("span", { class: "mono" }, m.method),
      (m.serverStream || m.clientStream) && el("span", { class: "mark live" }, "stream"),
      m.deprecated && el("span", { class: "mark warn" }, "deprecated"),
      el("span", { class: "says" }, m.summary))))];
}

const verb = (o) => el("span", { class: "verb " + o.verb }, o.verb.toUpperCase());
const find = (o) => [o.verb, o.path, o.summary, o.operationId].join(" ").toLowerCase();

function operation(o, schemas) {
  const path = el("span", { class: "path" }, ...o.path.split(/(\{[^}]*\})/).map((p) => (p.startsWith("{") ? el("b", {}, p) : p)));
  const body = el("div", { class: "body" });
  const details = el("details", {
    class: "op" + (o.deprecated ? " old" : ""), id: o.operationId, "data-find": find(o),
    ontoggle: () => details.open && !body.childElementCount && body.append(...contents(o, schemas)),
  }, el("summary", {}, verb(o), path,
    o["x-server-stream"] && el("span", { class: "mark live" }, "stream"),
    o.deprecated && el("span", { class: "mark warn" }, "deprecated"),
    el("span", { class: "says" }, o.summary)), body);
  return details;
}

/** contents is what an opened operation shows: the request and what came of trying it to the left, answers to the right. */
function contents(o, schemas) {
  const inputs = (o.parameters ?? []).map((param) => ({ param, input: inputFor(param, schemas) }));
  const media = Object.values(o.requestBody?.content ?? {})[0];
  const body = media && el("textarea", { spellcheck: "false", "aria-label": "Request body" });
  if (body) {
    body.value = JSON.stringify(schemas.sample(media.schema), null, 2);
    body.rows = Math.min(body.value.split("\n").length + 1, 24);
  }
  const out = el("div");
  return [
    el("div", { class: "full" },
      o.description && o.description !== o.summary + "." && o.description !== o.summary ? el("p", { class: "prose" }, prose(o.description)) : "",
      el("span", { class: "dim mono" }, o["x-grpc-method"] ?? o.operationId)),
    el("div", {},
      ...(inputs.length ? [el("h3", {}, "Parameters"), ...inputs.map((i) => parameter(i, schemas))] : []),
      ...(body ? [el("h3", {}, "Request body"), o.requestBody.description ? el("p", { class: "dim" }, prose(o.requestBody.description)) : "", body] : []),
      !inputs.length && !body ? el("p", { class: "dim" }, "Takes nothing.") : "",
      actions(() => requestOf(o, inputs, body), inputs, out), out,
      ...(body ? [el("h3", {}, "Request schema"), schemas.tree(media.schema)] : [])),
    el("div", {}, ...Object.entries(o.responses).flatMap(([code, r]) => response(code, r, schemas))),
  ];
}

function inputFor(param, schemas) {
  const schema = schemas.follow(param.schema);
  const choices = [schema.type].flat().includes("boolean") ? ["true", "false"] : schema.enum;
  const common = { "aria-label": param.name, required: !!param.required };
  if (choices) return el("select", common, el("option", { value: "" }, "—"), ...choices.map((v) => el("option", {}, v)));
  const hint = param.style === "deepObject" ? "key=value, key=value" : schema.type === "array" ? "value, value" : schemas.type(param.schema);
  return el("input", { ...common, placeholder: hint, autocomplete: "off", spellcheck: "false" });
}

function parameter({ param, input }, schemas) {
  return el("div", { class: "param" },
    el("div", { class: "name" }, el("code", {}, param.name), param.required ? el("span", { class: "req", title: "required" }, " *") : "",
      el("div", { class: "type" }, param.in + " · " + schemas.type(param.schema))),
    input, param.description ? el("div", { class: "note" }, prose(param.description)) : "");
}

function response(code, r, schemas) {
  const types = Object.entries(r.content ?? {});
  const [type, media] = types[0] ?? [];
  return [
    el("h3", {}, code === "default" ? "Any other answer" : `Answer ${code}`, type ? ` · ${types.map(([name]) => name).join(" or ")}` : ""),
    r.description && r.description !== "OK" ? el("p", { class: "dim" }, prose(r.description)) : "",
    media ? (code === "default" ? folded(media.schema, schemas) : schemas.tree(media.schema)) : "",
  ];
}

const folded = (schema, schemas) => el("div", { class: "schema" }, schemas.level(schema, null, false));

function actions(request, inputs, out) {
  let running;
  const stop = el("button", { type: "button", disabled: true, onclick: () => running?.abort() }, "Stop");
  const go = el("button", { type: "button", class: "go", onclick: async () => {
    const missing = inputs.find(({ param, input }) => param.required && !input.value);
    if (missing) return missing.input.focus();
    running?.abort();
    const mine = (running = new AbortController());
    stop.disabled = false;
    await send(request(), out, mine.signal);
    if (running === mine) stop.disabled = true;
  } }, "Send");
  const copy = el("button", { type: "button", onclick: () => {
    const line = curl(request());
    navigator.clipboard?.writeText(line).catch(() => {});
    out.replaceChildren(el("pre", {}, line));
  } }, "As curl");
  return el("div", { class: "actions" }, go, stop, copy);
}

function search() {
  const field = byId("search");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const node of document.querySelectorAll("[data-find]")) {
      node.classList.toggle("gone", !words.every((w) => node.dataset.find.includes(w)));
    }
    for (const tag of document.querySelectorAll(".tag")) tag.classList.toggle("gone", !tag.querySelector(".op:not(.gone)"));
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    field.focus();
  });
}

/** openLinked opens the operation that the address names behind its hash. */
function openLinked() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches("details.op")) {
    target.open = true;
    target.scrollIntoView();
  }
}

main().catch((error) => byId("main").replaceChildren(el("p", { class: "req" }, `The document cannot be shown: ${error.message}`)));
