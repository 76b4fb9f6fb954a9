// The golden vectors through the generated module: `node --test tests/api/vectors.test.mjs`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as api from "../../api/generated/clutchcall.mjs";

const vectors = JSON.parse(readFileSync(new URL("../../api/vectors/dtos.json", import.meta.url), "utf8"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));

test("every DTO is written and read as in the vectors", () => {
  for (const { dto, json, msgpack } of vectors.dtos) {
    assert.equal(hex(api.encode(dto, json)), msgpack, dto);
    assert.deepEqual(api.decode(dto, bytes(msgpack)), json, dto);
    assert.deepEqual(api.check(dto, json), json, dto);
  }
});

test("every call is written and read as in the vectors", () => {
  for (const { method, request, dto, json, msgpack } of vectors.calls) {
    assert.equal(hex(api.encodeCall(method, request, dto, json)), msgpack);
    const call = api.decodeCall(bytes(msgpack));
    assert.deepEqual([call.method, call.request], [method, request]);
    assert.deepEqual(api.check(dto, call.body), json);
  }
});

test("what the vectors refuse is refused, naming the path", () => {
  for (const { why, dto, msgpack, path } of vectors.refused)
    assert.throws(() => api.decode(dto, bytes(msgpack)), (error) => error instanceof api.WireError && error.path === path, why);
});

test("a body cut anywhere is refused", () => {
  const { dto, msgpack } = vectors.dtos.find((one) => one.dto === "SessionInfo");
  const whole = bytes(msgpack);
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => api.decode(dto, whole.subarray(0, length)), api.WireError);
});

test("a key from outside cannot reach an object's prototype", () => {
  const room = { ...vectors.dtos.find((one) => one.dto === "Room").json, metadata: JSON.parse('{"__proto__": "x"}') };
  const read = api.decode("Room", api.encode("Room", room));
  assert.deepEqual(Object.entries(read.metadata), [["__proto__", "x"]]);
  assert.equal(Object.getPrototypeOf(read.metadata), Object.prototype);
});
