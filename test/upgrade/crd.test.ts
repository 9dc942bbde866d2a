/** What the CRD of an earlier version admitted, today's admits, and keeps in the same way. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it as test, layer } from "@effect/vitest"
import { Effect, FileSystem, Schema } from "effect"
import fc from "fast-check"
import { parse } from "yaml"
import { packageNameRules } from "../../lib/api/nixbuild-rules.ts"
import { isFields } from "../../lib/memory/objects.ts"

const earlierFile = "test/upgrade/e33f168/nixbuilds.yaml"

const Fields = Schema.Record(Schema.String, Schema.Unknown)

const Version = Schema.StructWithRest(
  Schema.Struct({
    schema: Schema.Struct({ openAPIV3Schema: Schema.Unknown }),
    additionalPrinterColumns: Schema.Array(Fields)
  }),
  [Fields]
)
const Definition = Schema.Struct({
  metadata: Schema.Struct({ name: Schema.String }),
  spec: Schema.StructWithRest(Schema.Struct({ versions: Schema.Tuple([Version]) }), [Fields])
})
const readDefinition = Schema.decodeUnknownEffect(Definition)

const definitionIn = Effect.fnUntraced(function* (file: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(`${import.meta.dirname}/../../${file}`)
  const { metadata, spec } = yield* readDefinition(parse(text))
  const { versions, ...names } = spec
  // What one may select by takes nothing away.
  const [{ additionalPrinterColumns: columns, schema, selectableFields: _, ...version }] = versions
  return { schema: schema.openAPIV3Schema, columns, others: { ...metadata, ...names, ...version } }
})

const json = (value: unknown): string => JSON.stringify(value) ?? "absent"
const isSame = (before: unknown, after: unknown): boolean => json(before) === json(after)

/** For each word of a schema, whether what it says after takes all that it took before. */
const words: Readonly<Record<string, (before: unknown, after: unknown) => boolean>> = {
  ...Object.fromEntries(["type", "format", "pattern", "nullable"].map((word) => [word, isSame] as const)),
  ...Object.fromEntries(
    ["int-or-string", "list-type", "list-map-keys", "preserve-unknown-fields"].map(
      (word) => [`x-kubernetes-${word}`, isSame] as const
    )
  ),
  enum: (before, after) => after === undefined || before !== undefined,
  // What had none may be given one.
  default: (before, after) => before === undefined || isSame(before, after),
  ...Object.fromEntries(
    ["Length", "Items", "Properties", "imum"].flatMap((what) => [
      [`max${what}`, (before: unknown, after: unknown) => after === undefined || Number(before) <= Number(after)],
      [`min${what}`, (before: unknown, after: unknown) => after === undefined || Number(before) >= Number(after)]
    ])
  )
}

const listIn = (schema: Readonly<Record<string, unknown>>, word: string): ReadonlyArray<unknown> => {
  const list = schema[word]
  return Array.isArray(list) ? list : []
}

const rulesIn = (schema: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  listIn(schema, "x-kubernetes-validations").map((rule) => (isFields(rule) ? String(rule["rule"]) : ""))

/** Where the schema of now takes less than that of then. */
const narrowings = (path: string, then: unknown, now: unknown): ReadonlyArray<string> => {
  if (!isFields(then)) return []
  if (!isFields(now)) return [`${path} is gone`]
  const [before, after] = [rulesIn(then), rulesIn(now)]
  return [
    ...Object.entries(words)
      .filter(([word, isWide]) => !isWide(then[word], now[word]))
      .map(([word]) => `${path} ${word}: ${json(then[word])}, now ${json(now[word])}`),
    ...listIn(then, "enum")
      .filter((value) => !listIn(now, "enum").includes(value))
      .map((value) => `${path} is not ${json(value)} any more`),
    ...listIn(now, "required")
      .filter((name) => !listIn(then, "required").includes(name))
      .map((name) => `${path}.${String(name)} is required`),
    ...after.filter((rule) => !before.includes(rule)).map((rule) => `${path} rule: ${rule}`),
    ...before
      .filter((rule) => rule.includes("oldSelf") && !after.includes(rule))
      .map((rule) => `${path} has no rule ${rule} any more`),
    ...Object.entries(isFields(then["properties"]) ? then["properties"] : {}).flatMap(([name, schema]) =>
      narrowings(`${path}.${name}`, schema, isFields(now["properties"]) ? now["properties"][name] : undefined)
    ),
    ...["items", "additionalProperties"].flatMap((word) => narrowings(`${path}.${word}`, then[word], now[word]))
  ]
}

layer(NodeServices.layer)("the CRD", (it) => {
  it.effect("takes all that it took, but for what is listed here", () =>
    Effect.gen(function* () {
      const then = yield* definitionIn(earlierFile)
      const now = yield* definitionIn("crds/nixbuilds.yaml")
      assert.deepStrictEqual(narrowings("", then.schema, now.schema), [
        // About fields that are new, and packageName is one of two now.
        ".spec rule: has(self.packageName) != has(self.image)",
        ".spec rule: has(self.packageName) == has(oldSelf.packageName)",
        // A name that nobody could pull from then.
        ".spec rule: (has(self.delivery) && self.delivery == 'Registry') || !self.imageTag.matches('^(127[.]0[.]0[.]1|localhost):5080/')",
        ".spec rule: !has(self.delivery) || self.delivery != 'Registry' || !has(self.nodes) || size(self.nodes) == 0",
        // The same in another spelling, which JavaScript reads too: before, (?i) stood in front.
        String.raw`.spec.flakeUrl rule: !self.matches("(?i:[/.@]xn--)")`,
        String.raw`.spec.flakeUrl rule: !self.matches("(?i:([/=?&:]|%2f)(\\.|%2e){2}([/?&]|%2f|$))")`,
        // Of what has no ^, and before nothing had one, they say what one rule said: see below.
        String.raw`.spec.packageName rule: self.matches("^[A-Za-z0-9_][A-Za-z0-9_'-]*(\\.[A-Za-z0-9_][A-Za-z0-9_'-]*)*(\\^.*)?$")`,
        String.raw`.spec.packageName rule: !self.matches("\\^") || self.matches("^[^^]*\\^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")`,
        // The builder cut it there.
        ".status.lockedUrl maxLength: absent, now 2500"
      ])
    })
  )

  it.effect("has the same names, version and subresources, and prints the same columns", () =>
    Effect.gen(function* () {
      const then = yield* definitionIn(earlierFile)
      const now = yield* definitionIn("crds/nixbuilds.yaml")
      assert.deepStrictEqual(now.others, then.others)
      assert.includeDeepMembers([...now.columns], [...then.columns])
    })
  )
})

describe("packageName", () => {
  test("may be whatever it might be", () => {
    const before = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_'-]*(\.[A-Za-z0-9_][A-Za-z0-9_'-]*)*$/)
    fc.assert(fc.property(before, (name) => packageNameRules.every(({ holds }) => holds(name))))
  })
})
