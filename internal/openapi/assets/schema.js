// What a schema says, for people: as a tree that opens level by level, and as a value to begin with.

/** el makes an element: attributes with `class` and `on…` handlers, children as nodes or text. Text is never markup. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c || c === 0));
  return node;
}

/** prose sets `code` in a text apart. */
export function prose(text) {
  const out = document.createDocumentFragment();
  text.split("`").forEach((part, i) => out.append(i % 2 ? el("code", {}, part) : part));
  return out;
}

export class Schemas {
  constructor(document) {
    this.defined = document.components?.schemas ?? {};
  }

  /** follow returns what a reference stands for; what stands beside the reference goes first. */
  follow(schema) {
    const name = refName(schema);
    if (!name) return schema ?? {};
    const { $ref: _, ...beside } = schema;
    return { ...this.defined[name], ...beside };
  }

  /** type names a schema in a few words. */
  type(schema) {
    const name = refName(schema);
    if (name) return name.split(".").pop();
    if (schema?.type === "array") return this.type(schema.items) + "[]";
    if (schema?.additionalProperties && schema.additionalProperties !== true) return "map of " + this.type(schema.additionalProperties);
    if (schema?.oneOf) return schema.oneOf.map((s) => this.type(s)).filter((t, i, all) => all.indexOf(t) === i).join(" or ");
    if (schema?.enum) return schema.enum.join(" | ");
    const type = [schema?.type ?? "any"].flat().join(" or ");
    const detail = schema?.format ?? schema?.contentEncoding;
    return detail ? `${type} (${detail})` : type;
  }

  /** inner returns the schema whose properties are worth opening: through lists, maps and references. */
  inner(schema) {
    const followed = this.follow(schema);
    if (followed.type === "array") return this.inner(followed.items);
    if (followed.additionalProperties && followed.additionalProperties !== true) return this.inner(followed.additionalProperties);
    return followed;
  }

  tree(schema) {
    return el("div", { class: "schema" }, this.level(schema, null, true));
  }

  /** level shows one schema. What is inside is made when it is opened, since types may contain themselves. */
  level(schema, key, open, required) {
    const inner = this.inner(schema);
    const followed = this.follow(schema);
    const head = [
      key && el("span", { class: "key" }, key), required && el("span", { class: "req", title: "required" }, " *"),
      " ", el("span", { class: "type" }, this.type(schema)),
      followed.readOnly && el("span", { class: "mark" }, "read only"),
      followed.writeOnly && el("span", { class: "mark" }, "write only"),
      followed.deprecated && el("span", { class: "mark warn" }, "deprecated"),
    ].filter(Boolean);
    const values = inner.enum && el("div", { class: "note values" }, inner.enum.join("  "));
    const note = el("div", {}, followed.description && el("div", { class: "note" }, prose(followed.description)), values);
    const parts = this.parts(inner);
    if (!parts.length) return el(key ? "li" : "div", {}, ...head, note);
    const list = el("ul");
    const details = el("details", { open, ontoggle: () => details.open && fill() }, el("summary", {}, ...head), note, list);
    const fill = () => {
      if (list.childElementCount) return;
      list.append(...parts.map((p) => this.level(p.schema, p.key, p.open, p.required)));
    };
    if (open) fill();
    return key ? el("li", {}, details) : details;
  }

  parts(schema) {
    if (schema.properties) {
      return Object.entries(schema.properties).map(([key, s]) => ({ key, schema: s, required: schema.required?.includes(key) }));
    }
    if (schema.oneOf?.some((s) => this.follow(s).properties)) { // one or the other: neither is required
      return schema.oneOf.flatMap((s) => this.parts(s)).map((p) => ({ ...p, required: false }));
    }
    return [];
  }

  /** sample returns a value to begin a request with: nothing read-only, one member of each oneof, no type in itself. */
  sample(schema, outer = []) {
    const name = refName(schema);
    if (name && outer.includes(name)) return undefined;
    const inside = name ? [...outer, name] : outer;
    const s = this.follow(schema);
    if (s.examples) return s.examples[0];
    if (s.enum) return s.enum.find((v) => !v.endsWith("_UNSPECIFIED")) ?? s.enum[0];
    if (s.oneOf) return this.sample(s.oneOf[0], inside);
    switch ([s.type].flat()[0]) {
      case "object": return this.sampleObject(s, inside);
      case "array": return [this.sample(s.items, inside)].filter((v) => v !== undefined);
      case "integer": case "number": return 0;
      case "boolean": return false;
      case "null": return null;
      case "string":
        if (s.format === "date-time") return new Date(Math.floor(Date.now() / 1000) * 1000).toISOString().replace(".000", "");
        return s.format?.includes("int64") ? "0" : "";
    }
    return s.properties ? this.sampleObject(s, inside) : {};
  }

  sampleObject(s, inside) {
    if (s.properties?.["@type"]) return undefined; // an Any: nobody can guess its type
    const taken = new Set();
    for (const rule of s.allOf ?? []) {
      (rule.oneOf ?? []).map((c) => c.required?.[0]).filter(Boolean).slice(1).forEach((k) => taken.add(k));
    }
    const value = {};
    for (const [key, property] of Object.entries(s.properties ?? {})) {
      const followed = this.follow(property);
      if (followed.readOnly || followed.deprecated || taken.has(key)) continue;
      const sampled = this.sample(property, inside);
      if (sampled !== undefined) value[key] = sampled;
    }
    return value;
  }
}

function refName(schema) {
  return schema?.$ref?.replace("#/components/schemas/", "");
}
