/** The log line that a decision leaves: what is in it, what is not, and how long it may get. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, References, Schema } from "effect"
import type { Action } from "../lib/runtime/action.ts"
import { type Decision, makeRecord } from "../lib/runtime/decision-record.ts"
import type { EnbiFunction } from "../lib/runtime/function.ts"
import { reconcile } from "../lib/runtime/reconcile.ts"
import { Settings } from "../lib/api/settings.ts"
import { makeApiServer } from "./memory/api-server.ts"
import { settings } from "./memory/given.ts"
import { liveCluster } from "./memory/live.ts"

const metadata = { name: "a", namespace: "apps", uid: "uid-a", resourceVersion: "7" }
const event = { specversion: "1.0", id: "event-1", source: "test", type: "test" } as const
const subject = { kind: "NixBuild", namespace: "apps", name: "a" }
const remove: Action = { action: "Delete", why: "a test", target: { kind: "NixBuild", ...metadata } }

const decision = (more: Partial<Decision>): Decision => ({
  function: "scheduler",
  event,
  subject,
  observed: { build: { metadata } },
  actions: [remove],
  done: 1,
  outcome: "Done",
  ...more
})

const lengthOf = (record: unknown): number => Buffer.byteLength(JSON.stringify(record))

describe("a decision record", () => {
  it("says who decided what, about which version of which object, on what event, and what came of it", () => {
    assert.deepStrictEqual(makeRecord(decision({})), {
      function: "scheduler",
      event,
      subject: { ...subject, uid: "uid-a", resourceVersion: "7" },
      outcome: "Done",
      decided: 1,
      done: 1,
      writes: [{ action: "Delete", kind: "NixBuild", ...metadata, why: "a test" }],
      observed: { build: { metadata } }
    })
  })

  it("leaves out what it creates, since a Job has its environment in it", () => {
    const job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata,
      spec: { env: [{ name: "A", value: "xyzzy" }] }
    } as const
    const record = makeRecord(decision({ actions: [{ action: "Create", why: "a test", object: job }] }))
    assert.notInclude(JSON.stringify(record), "xyzzy")
    assert.include(JSON.stringify(record), '"kind":"Job","namespace":"apps","name":"a"')
  })

  const secrets: Record<string, readonly [string, string]> = {
    "a user and password in a URL": ["https://user:xyzzy@cache.example.org/x", "https://…@cache.example.org/x"],
    "a token in a URL's query": ["https://a.b/c?access_token=xyzzy&ref=main", "https://a.b/c?access_token=…&ref=main"],
    "a header": ["Authorization: Bearer xyzzy.xyzzy", "Authorization: Bearer …"],
    "a password that a build prints": ["PASSWORD='xyzzy' make", "PASSWORD='…' make"],
    "JSON that a build prints": ['{"secret": "xyzzy", "a": 1}', '{"secret": "…", "a": 1}'],
    "no secret": [
      "git+https://github.com/a/b?rev=0123 has no tokens",
      "git+https://github.com/a/b?rev=0123 has no tokens"
    ]
  }
  for (const [what, [text, masked]] of Object.entries(secrets)) {
    it(`masks ${what}`, () => {
      assert.deepInclude(makeRecord(decision({ observed: { log: text }, outcome: text })), {
        observed: { log: masked },
        outcome: masked
      })
    })
  }

  it("has a bounded length, whatever was observed and decided", () => {
    const nodes = Array.from({ length: 5000 }, (_, index) => `node-${index}`)
    const observed = { build: { metadata, spec: { nodes } } }
    const long = decision({ observed, actions: nodes.map(() => remove), outcome: "x".repeat(100_000) })
    assert.isBelow(lengthOf(makeRecord(long)), 12_000)
    assert.deepInclude(makeRecord(long), { decided: 5000, subject: { ...subject, uid: "uid-a", resourceVersion: "7" } })
    assert.deepInclude(makeRecord(long, true), { observed })
  })
})

describe("the log", () => {
  const looking = (actions: ReadonlyArray<Action>): EnbiFunction<object> => ({
    name: "scheduler",
    on: [],
    permissions: [],
    mapEvent: () => Effect.succeed([subject]),
    observe: () => Effect.succeed(Option.some({ build: { metadata }, log: "two\nlines" })),
    Observed: Schema.toCodecJson(Schema.ObjectKeyword),
    decide: () => actions
  })

  const linesOf = (definition: EnbiFunction<object>, level: "Info" | "Debug") =>
    Effect.gen(function* () {
      const api = makeApiServer()
      const lines: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => {
        lines.push(line)
      })
      yield* Effect.ignore(reconcile(definition, event, subject)).pipe(
        Effect.provide(Layer.mergeAll(liveCluster(api), Layer.succeed(Settings, settings), Logger.layer([logger]))),
        Effect.provideService(References.MinimumLogLevel, level)
      )
      return lines
    })

  it.effect("has one line for each decision, with what went wrong and what was done before that", () =>
    Effect.gen(function* () {
      const object = { apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "apps" } } as const
      const create: Action = { action: "Create", why: "a test", object }
      const patch: Action = { action: "Patch", why: "a test", target: { kind: "Pod", ...metadata }, patch: {} }
      const lines = yield* linesOf(looking([create, patch, create]), "Info")
      assert.lengthOf(lines, 1)
      assert.notInclude(lines[0] ?? "", "\n")
      assert.include(lines[0] ?? "", '"outcome":"NotFound: Pod/apps/a not found","decided":3,"done":1')
    })
  )

  it.effect("has none for a look that had nothing to do, but with LOG_LEVEL Debug", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* linesOf(looking([]), "Info"), [])
      assert.lengthOf(yield* linesOf(looking([]), "Debug"), 1)
    })
  )
})
