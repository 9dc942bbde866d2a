/** Which writes to a NixBuild's status are a step that the metrics count, and how long it took. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Condition } from "../../lib/api/nixbuild-condition.ts"
import type { Reason } from "../../lib/api/reasons.ts"
import { setCondition } from "../../lib/kubernetes/condition.ts"
import { NixBuild } from "../../lib/api/nixbuild.ts"
import { statusWrite } from "../../lib/telemetry/nixbuild-changes.ts"
import { observationsOf } from "../../lib/telemetry/nixbuild-metrics.ts"

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString().replace(".000Z", "Z")

/** `type status reason second`, as it comes. */
type Word = readonly [Condition["type"], Condition["status"], Reason, number]

const conditionsOf = (words: ReadonlyArray<Word>) =>
  words.reduce<ReadonlyArray<Condition>>(
    (conditions, [type, status, reason, seconds]) =>
      setCondition(conditions, { type, status, reason, message: "", observedGeneration: 1, time: at(seconds) }),
    []
  )

const build = (conditions: ReadonlyArray<Condition>, attempt = 1) =>
  Schema.decodeUnknownSync(NixBuild)({
    metadata: { name: "a", uid: "u", resourceVersion: "1", creationTimestamp: at(0) },
    spec: { flakeUrl: "github:a/b", imageTag: "a:1", packageName: "a", system: "x86_64-linux" },
    status: { attempt, conditions }
  })

const scheduled: Word = ["Scheduled", "True", "NodeFound", 3]
const launched: Word = ["Launched", "True", "JobCreated", 10]
const succeeded: Word = ["Success", "True", "ResultSuccess", 70]
const complete: Word = ["Complete", "True", "BuildFinished", 75]
const ended = (result: "Succeeded" | Reason) => ({ metric: "builds", result, system: "x86_64-linux" }) as const

const changed = (before: NixBuild, conditions: ReadonlyArray<Condition>) =>
  observationsOf(statusWrite(before, { conditions }))

describe("a write to a NixBuild's status", () => {
  const rows: Record<string, readonly [ReadonlyArray<Word>, ReadonlyArray<Word>, ReadonlyArray<object>]> = {
    "gives a node: the queue's end is the Job, not the node": [[], [scheduled], []],
    "waits for the volume": [[scheduled], [["Launched", "False", "VolumePending", 5]], []],
    "launches the build": [[scheduled], [launched], [{ metric: "queueDuration", seconds: 10 }]],
    "launches after a wait": [
      [scheduled, ["Launched", "False", "VolumePending", 5]],
      [launched],
      [{ metric: "queueDuration", seconds: 10 }]
    ],
    "says again what it said, with other words": [[scheduled, launched], [["Launched", "True", "NodeFound", 40]], []],
    "tells of the build's success": [[scheduled, launched], [succeeded], [{ metric: "buildDuration", seconds: 60 }]],
    "tells of the import": [
      [scheduled, launched, succeeded],
      [complete],
      [{ metric: "importDuration", seconds: 5 }, ended("Succeeded")]
    ],
    "tells of build and import at once": [
      [scheduled, launched],
      [succeeded, ["Complete", "True", "BuildFinished", 70]],
      [{ metric: "buildDuration", seconds: 60 }, { metric: "importDuration", seconds: 0 }, ended("Succeeded")]
    ],
    "tells of the build's failure, which no import follows": [
      [scheduled, launched],
      [
        ["Success", "False", "HashMismatch", 20],
        ["Complete", "True", "BuildFinished", 20],
        ["Stalled", "True", "HashMismatch", 20]
      ],
      [{ metric: "buildDuration", seconds: 10 }, ended("HashMismatch")]
    ],
    "tells of the import's failure": [
      [scheduled, launched, succeeded],
      [complete, ["Stalled", "True", "ImportFailed", 75]],
      [{ metric: "importDuration", seconds: 5 }, ended("ImportFailed")]
    ],
    "tells of a build that was asked for again": [
      [scheduled, launched, ["Success", "Unknown", "RetryRequested", 600]],
      [["Success", "True", "ResultSuccess", 630]],
      [{ metric: "buildDuration", seconds: 30 }]
    ],
    "tells of an import that was asked for again": [
      [scheduled, launched, succeeded, ["Complete", "Unknown", "RetryRequested", 600]],
      [["Complete", "True", "BuildFinished", 607]],
      [{ metric: "importDuration", seconds: 7 }, ended("Succeeded")]
    ],
    "asks for another attempt": [
      [scheduled, launched, ["Success", "False", "BuildFailed", 20], ["Complete", "True", "BuildFinished", 20]],
      [
        ["Success", "Unknown", "RetryRequested", 600],
        ["Complete", "Unknown", "RetryRequested", 600]
      ],
      []
    ],
    "tells of one more node after the end": [
      [scheduled, launched, succeeded, complete],
      [["Ready", "True", "Imported", 90]],
      []
    ],
    "comes by a clock that is behind": [
      [scheduled],
      [["Launched", "True", "JobCreated", -3]],
      [{ metric: "queueDuration", seconds: 0 }]
    ],
    "fails a build that was never launched": [
      [scheduled],
      [
        ["Success", "False", "BuildFailed", 20],
        ["Complete", "True", "BuildFinished", 20],
        ["Stalled", "True", "BuildFailed", 20]
      ],
      [ended("BuildFailed")]
    ]
  }
  for (const [what, [before, written, expected]] of Object.entries(rows)) {
    it(what, () => {
      assert.deepStrictEqual(changed(build(conditionsOf(before)), conditionsOf([...before, ...written])), expected)
    })
  }

  it("is not written at all: nothing", () => {
    const all = conditionsOf([scheduled, launched, succeeded, complete])
    assert.deepStrictEqual(changed(build(all), all), [])
  })

  it("launches another attempt, whose wait was for its time and for no slot", () => {
    const before = build(conditionsOf([scheduled, ["Launched", "False", "VolumePending", 60]]), 2)
    assert.deepStrictEqual(changed(before, conditionsOf([scheduled, launched])), [])
  })
})
