/** What tools that wait for any object say of a NixBuild: kstatus' rules, and every status that stories pass through. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Stored } from "../../lib/memory/objects.ts"
import { namespace, nixBuild, node, onePod, onePodInVain } from "./given.ts"
import { kstatusOf, type Word } from "./kstatus.ts"
import { play, round, type Script } from "./story.ts"

const table: ReadonlyArray<readonly [Word, string, object]> = [
  ["Current", "no status", {}],
  ["Current", "no Ready", { status: { conditions: [{ type: "Scheduled", status: "True" }] } }],
  ["InProgress", "Ready False", { status: { conditions: [{ type: "Ready", status: "False" }] } }],
  ["InProgress", "Ready Unknown", { status: { conditions: [{ type: "Ready", status: "Unknown" }] } }],
  ["Current", "Ready True", { status: { observedGeneration: 2, conditions: [{ type: "Ready", status: "True" }] } }],
  [
    "InProgress",
    "an older one",
    { status: { observedGeneration: 1, conditions: [{ type: "Ready", status: "True" }] } }
  ],
  ["Failed", "Stalled", { status: { conditions: [{ type: "Stalled", status: "True" }] } }],
  ["InProgress", "Reconciling", { status: { conditions: [{ type: "Reconciling", status: "True" }] } }],
  ["Terminating", "deleted", { metadata: { generation: 2, deletionTimestamp: "2026-01-01T12:00:00Z" } }]
]

it.each(table)("%s: %s", (word, _what, object) =>
  assert.strictEqual(kstatusOf({ metadata: { generation: 2 }, ...object }), word)
)

interface Way {
  readonly script: Script
  /** What `kubectl get` prints, what Ready says, and what kstatus makes of it. */
  readonly lines: ReadonlyArray<string>
}

const c = { name: "c", nodes: ["one"], image: "reg.io/c:1", packageName: "good" } as const
const at = { kind: "NixBuild", namespace: "apps", name: "c" }

const ways: Readonly<Record<string, Way>> = {
  "it is built": {
    script: { given: onePod },
    lines: [
      "none, Ready Unknown Pending: InProgress",
      "Scheduled, Ready Unknown Progressing: InProgress",
      "Scheduled, Ready Unknown VolumePending: InProgress",
      "Building, Ready Unknown Progressing: InProgress",
      "Importing, Ready Unknown Progressing: InProgress",
      "Succeeded, Ready True Imported: Current"
    ]
  },
  "it can't be built": {
    script: { given: onePodInVain },
    lines: [
      "none, Ready Unknown Pending: InProgress",
      "Scheduled, Ready Unknown Progressing: InProgress",
      "Scheduled, Ready Unknown VolumePending: InProgress",
      "Building, Ready Unknown Progressing: InProgress",
      "Failed, Ready False BuildFailed: Failed"
    ]
  },
  "no node can build it": {
    script: { given: [namespace("apps"), nixBuild(c)] },
    lines: ["none, Ready Unknown Pending: InProgress", "Pending, Ready False NoMatchingNode: InProgress"]
  },
  "another node wants it later": {
    script: {
      given: [namespace("apps"), node("one"), node("two"), nixBuild(c)],
      happens: (stage) =>
        Effect.gen(function* () {
          for (let rounds = 0; rounds < 8; rounds += 1) yield* round(stage)
          yield* Effect.orDie(stage.api.objects.patch(at, { spec: { nodes: ["one", "two"] } }))
        })
    },
    lines: [
      "none, Ready Unknown Pending: InProgress",
      "Scheduled, Ready Unknown Progressing: InProgress",
      "Scheduled, Ready Unknown VolumePending: InProgress",
      "Building, Ready Unknown Progressing: InProgress",
      "Importing, Ready Unknown Progressing: InProgress",
      "Succeeded, Ready True Imported: Current",
      "Succeeded, Ready True Imported: InProgress",
      "Succeeded, Ready True Imported: Current"
    ]
  }
}

for (const [what, { lines, script }] of Object.entries(ways)) {
  it.effect(`${what}: from the first moment to the last`, () =>
    Effect.gen(function* () {
      const passed = new Array<string>()
      const pass = (object: Stored) => {
        const line = object.kind === "NixBuild" ? lineOf(object) : passed.at(-1)
        if (line !== undefined && line !== passed.at(-1)) passed.push(line)
      }
      yield* play({
        ...script,
        happens: (stage) =>
          Effect.suspend(() => {
            for (const object of stage.api.objects.objects.values()) pass(object)
            stage.api.objects.observers.push(({ object }) => pass(object))
            return script.happens?.(stage) ?? Effect.void
          })
      })
      assert.deepStrictEqual(passed, lines)
    })
  )
}

const Told = Schema.Struct({
  status: Schema.optionalKey(Schema.String),
  conditions: Schema.Array(Schema.Struct({ type: Schema.String, status: Schema.String, reason: Schema.String }))
})

const lineOf = (object: Stored): string => {
  const { conditions, status = "none" } = Schema.decodeUnknownSync(Told)(object["status"])
  const ready = conditions.find(({ type }) => type === "Ready")
  return `${status}, Ready ${ready?.status} ${ready?.reason}: ${kstatusOf(object)}`
}
