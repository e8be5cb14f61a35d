// Sends a request as a form says, and shows the answer as it comes in.
import { el } from "./schema.js";

// The page is at …/docs: what stands before that is a proxy's prefix, and in front of every path.
const base = new URL(".", document.baseURI).pathname.replace(/\/$/, "");

/** requestOf reads the inputs of a form. */
export function requestOf(operation, inputs, body) {
  let path = operation.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { param, input } of inputs) {
    const text = input.value;
    if (param.in === "path") {
      const value = param["x-multi-segment"] ? text.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(text);
      path = path.replace(`{${param.name}}`, () => value);
    } else if (text !== "" && param.in === "header") {
      Object.assign(headers, { [param.name]: text, Accept: "text/event-stream" }); // Last-Event-ID is for events
    } else if (text !== "") {
      addQuery(query, param, text);
    }
  }
  const search = query.toString();
  const request = { method: operation.verb.toUpperCase(), url: base + path + (search && "?" + search), stream: operation["x-server-stream"], headers };
  if (body) Object.assign(request, { body: body.value, headers: { ...headers, "Content-Type": "application/json" } });
  return request;
}

function addQuery(query, param, text) {
  if (param.style === "deepObject") {
    for (const pair of text.split(",")) {
      const [key, ...value] = pair.split("=");
      query.append(`${param.name}[${key.trim()}]`, value.join("=").trim());
    }
  } else if (param.schema?.type === "array") {
    text.split(",").forEach((v) => query.append(param.name, v.trim()));
  } else {
    query.append(param.name, text);
  }
}

/** curl spells a request for a shell. */
export function curl(request) {
  const quote = (s) => `'${s.replaceAll("'", `'\\''`)}'`;
  let line = `curl ${request.method === "GET" ? "" : `-X ${request.method} `}${quote(location.origin + request.url)}`;
  for (const [name, value] of Object.entries(request.headers)) line += ` \\\n  -H ${quote(`${name}: ${value}`)}`;
  if (request.body !== undefined) line += ` \\\n  -d ${quote(request.body)}`;
  return line;
}

/** send sends, and fills out with status, headers and body. A stream's lines are shown one by one until it ends or signal does. */
export async function send(request, out, signal) {
  const began = performance.now();
  const state = el("span", { class: "code", role: "status" }, "…");
  const facts = el("span", { class: "dim" });
  const body = el("pre");
  out.replaceChildren(el("div", { class: "answer" }, state, facts), body);
  try {
    const { url, stream, ...options } = request;
    const answer = await fetch(url, { ...options, signal, cache: "no-store", redirect: "manual" });
    state.textContent = `${answer.status} ${answer.statusText}`.trim() || "redirected elsewhere";
    state.classList.add(answer.ok ? "good" : "bad");
    const headers = [...answer.headers].map(([k, v]) => `${k}: ${v}`).join("\n");
    body.before(el("pre", { class: "headers" }, headers));
    await show(answer, body, stream, () => took(facts, began));
  } catch (error) {
    const stopped = signal.aborted;
    if (!state.classList.length || state.textContent === "…") state.textContent = stopped ? "stopped" : "no answer";
    if (!stopped) state.classList.add("bad");
    body.append(stopped ? "\n(stopped)" : `${error.message}\n`);
  }
  took(facts, began);
}

function took(facts, began) {
  facts.textContent = `${Math.round(performance.now() - began)} ms`;
}

/** show reads the body. Lines are shown as they become whole; an answer that is one value is set out at the end. */
async function show(answer, body, stream, tick) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    rest += value;
    if (stream) {
      const lines = rest.split("\n");
      rest = lines.pop();
      for (const line of lines.filter(Boolean)) body.append(colored(line, 0), "\n");
      const first = body.childNodes.length - 2000; // a stream without end must not fill the memory
      for (let i = 0; i < first; i++) body.firstChild.remove();
      body.scrollTop = body.scrollHeight;
    }
    tick();
  }
  if (rest) body.append(colored(rest, 2));
}

/** colored sets JSON out with colours; other text as it is. */
function colored(text, indent) {
  let json;
  try {
    json = JSON.stringify(JSON.parse(text), null, indent);
  } catch {
    return document.createTextNode(text);
  }
  const out = document.createDocumentFragment();
  let last = 0;
  for (const m of json.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*/g)) {
    out.append(json.slice(last, m.index), el("span", { class: m[2] ? "k" : m[1] ? "s" : "v" }, m[1] ?? m[0]), m[2] ?? "");
    last = m.index + m[0].length;
  }
  out.append(json.slice(last));
  return out;
}
