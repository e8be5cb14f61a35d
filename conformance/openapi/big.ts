// The types of a service with every kind of field. It is compiled, and not run.
import createClient from "openapi-fetch";
import type { components, paths } from "./gen/big.js";

const client = createClient<paths>({ baseUrl: "http://localhost" });

export async function use() {
  const created = await client.POST("/v1/notes", { body: { title: "Milk", labels: { shop: "corner" }, text: "2 l" }, params: { query: { requestId: "1" } } });
  const note: components["schemas"]["notes.v1.Note"] | undefined = created.data;
  const visibility: "VISIBILITY_UNSPECIFIED" | "VISIBILITY_PRIVATE" | "VISIBILITY_PUBLIC" | undefined = note?.visibility;
  const list = await client.GET("/v1/notes", { params: { query: { pageSize: 1, visibility: ["VISIBILITY_PUBLIC"] } } });
  const first: components["schemas"]["notes.v1.Note"] | undefined = list.data?.[0];
  const all = await client.PUT("/v1/everything/{int64_value}", {
    params: { path: { int64_value: "9007199254740993" } }, // more than a number of JavaScript holds
    body: { doubleValue: "NaN", floatValue: 1.5, mapValue: { "1": { title: "a" } }, struct: { any: [1] }, duration: "1.5s", int64Wrapper: null },
  });
  const big: string | undefined = all.data?.sint64Value;
  // @ts-expect-error a 64-bit integer is a text
  const wrong: number | undefined = all.data?.sint64Value;
  // @ts-expect-error a required field is missing
  await client.POST("/v1/notes", { body: { text: "2 l" } });
  // @ts-expect-error no value of the enum
  await client.GET("/v1/notes", { params: { query: { visibility: ["PUBLIC"] } } });
  return [visibility, first, big, wrong];
}
