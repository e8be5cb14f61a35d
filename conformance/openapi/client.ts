// A client of hello, by the types that openapi-typescript makes of its document. It compiles only if the types are right,
// and is run with the address of a running hello. It prints what it got, as JSON.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./gen/hello.js";

const [base] = process.argv.slice(2);
assert(base, "the address is missing");
const client = createClient<paths>({ baseUrl: base });

const got = await client.GET("/v1/hello/{name}", { params: { path: { name: "Ada Ä?" } } });
assert(got.data, JSON.stringify(got.error));
const message: string | undefined = got.data.message;
assert.equal(message, "Hello, Ada Ä?!");

const posted = await client.POST("/v1/hello", { body: { name: "Grace" } });
assert.equal(posted.data?.message, "Hello, Grace!");

// A problem has its type too.
const refused = await client.GET("/v1/hello/{name}", { params: { path: { name: "x".repeat(101) } } });
const problem: components["schemas"]["Problem"] | undefined = refused.error;
assert.equal(problem?.reason, "NAME_TOO_LONG");
assert.equal(problem?.status, 400);
assert.equal(problem?.errors?.[0]?.field, "name");

// A stream of lines.
const lines = await client.GET("/v1/hello/{name}/count", {
  params: { path: { name: "Ada" }, query: { times: 2, pauseMs: 1 } },
  parseAs: "text",
});
const texts = (lines.data as string).trim().split("\n").map((line) => (JSON.parse(line) as { result: components["schemas"]["hello.v1.CountResponse"] }).result.message);
assert.deepEqual(texts, ["Hello, Ada!", "Hello, Ada!"]);

// The same stream as events.
const events = await client.GET("/v1/hello/{name}/count", {
  params: { path: { name: "Ada" }, query: { times: 2, pauseMs: 1 } },
  headers: { Accept: "text/event-stream" },
  parseAs: "text",
});
assert.equal(events.response.headers.get("Content-Type"), "text/event-stream");
assert.equal([...(events.data as unknown as string).matchAll(/^event: end$/gm)].length, 1);
assert.equal([...(events.data as unknown as string).matchAll(/^id: \d+$/gm)].length, 2);

// What is wrong does not compile.
export const wrong = () => [
  // @ts-expect-error there is no such path
  client.GET("/v1/goodbye"),
  // @ts-expect-error the name is missing
  client.GET("/v1/hello/{name}", {}),
  // @ts-expect-error a name is a text
  client.POST("/v1/hello", { body: { name: 1 } }),
  // @ts-expect-error there is no such parameter
  client.GET("/v1/hello/{name}/count", { params: { path: { name: "a" }, query: { often: 1 } } }),
];

console.log("ok");
