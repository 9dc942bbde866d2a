/** JSON as Go writes it, where it differs from what JavaScript does. */
import { assert, it } from "@effect/vitest"
import { membersOf, sortedJson } from "./json.ts"

const written: ReadonlyArray<readonly [value: unknown, text: string]> = [
  [{ b: 1, a: { d: [{ f: null, e: true }], c: "x" } }, '{"a":{"c":"x","d":[{"e":true,"f":null}]},"b":1}'],
  // JavaScript has keys that look like numbers first, and 9 before 10.
  [{ a: 0, 9: 1, 10: 2 }, '{"10":2,"9":1,"a":0}'],
  ["<a & b>\u2028\u2029 žluť", '"\\u003ca \\u0026 b\\u003e\\u2028\\u2029 žluť"'],
  [{ "<": 1 }, '{"\\u003c":1}']
]
for (const [value, text] of written) {
  it(`writes ${text}`, () => assert.strictEqual(sortedJson(value), text))
}

const parts: ReadonlyArray<readonly [text: string, members: Record<string, string> | undefined]> = [
  ['{"a": {"b":1,  "c":[1, 2]} , "d" :"x"}', { a: '{"b":1,  "c":[1, 2]}', d: '"x"' }],
  ['{"a":"},\\":{","b":12345678901234567890}', { a: '"},\\":{"', b: "12345678901234567890" }],
  ['{"a:b":":"}', { "a:b": '":"' }],
  [" { } ", {}],
  ["[1]", undefined],
  ["null", undefined],
  ['{"a"', undefined]
]
for (const [text, members] of parts) {
  it(`takes ${text} apart`, () => {
    const found = membersOf(text)
    assert.deepStrictEqual(found === undefined ? undefined : Object.fromEntries(found), members)
  })
}
