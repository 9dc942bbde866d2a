/** A branch that moves between any two Jobs that ask what it is: one NixBuild is one source all the same. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { decodeAs } from "../../lib/kubernetes/cluster.ts"
import { retryAnnotation } from "../../lib/api/annotations.ts"
import type { Stored } from "../../lib/memory/objects.ts"
import { twoNodesThatFail } from "./given.ts"
import { readJob } from "./job.ts"
import { sameEnd } from "./law.ts"
import { words } from "./plan.ts"
import { play, round, type Stage } from "./story.ts"

const buildIn = Effect.fnUntraced(function* ({ api }: Stage): Effect.fn.Return<NixBuild> {
  const stored = [...api.objects.objects.values()].find(({ kind }) => kind === "NixBuild")
  return yield* Effect.orDie(decodeAs(nixBuilds)(stored ?? {}))
})

const buildJobs = ({ api }: Stage) =>
  api.objects.log
    .filter(({ object, verb }) => verb === "ADDED" && object.kind === "Job")
    .map(({ object }) => readJob(object))
    .filter(({ step }) => step === "build")

const hashIn = (lockedUrl: string | undefined): number => Number(/narHash=(\d+)$/u.exec(lockedUrl ?? "")?.[1])

const rounds = (count: number, stage: Stage) => Effect.repeat(round(stage), { times: count - 1 })

it.effect("attempts that come by themselves, on either node, have the source of the first", () =>
  Effect.gen(function* () {
    yield* play({
      given: twoNodesThatFail,
      happens: (stage) =>
        Effect.gen(function* () {
          yield* rounds(20, stage)
          const { status } = yield* buildIn(stage)
          assert.strictEqual(hashIn(status?.lockedUrl), 1)
          assert.strictEqual(status?.nodes?.filter(({ importedTime }) => importedTime !== undefined).length, 2)
          const [first, ...later] = buildJobs(stage).map(({ valueOf }) => valueOf("LOCKED_URL"))
          assert.strictEqual(first, undefined)
          assert.deepStrictEqual(new Set(later), new Set([status?.lockedUrl]))
          // One attempt more on each node.
          assert.lengthOf(later, 3)
        })
    })
  })
)

it.effect("whatever becomes of events, writes and processes: the same end, of one source", () =>
  sameEnd({
    given: twoNodesThatFail,
    words: [...words.events, ...words.views, "stop", "start", ...words.always, ...words.faults],
    runs: 15
  })
)

const askForRetry = Effect.fnUntraced(function* ({ api }: Stage, value: string) {
  const builds = [...api.objects.objects.values()].filter((stored: Stored) => stored.kind === "NixBuild")
  for (const { kind, metadata } of builds) {
    const patch = { metadata: { annotations: { [retryAnnotation]: value } } }
    yield* Effect.orDie(api.objects.patch({ ...metadata, kind }, patch))
  }
})

it.effect("a retry that a person asks for sees what the forge has now, on both nodes", () =>
  Effect.gen(function* () {
    yield* play({
      given: twoNodesThatFail,
      // Nothing is tried again by itself.
      replicas: [{ retryDelaysSeconds: [] }],
      happens: (stage) =>
        Effect.gen(function* () {
          yield* rounds(6, stage)
          const failed = yield* buildIn(stage)
          assert.strictEqual(failed.status?.status, "Failed")
          assert.strictEqual(hashIn(failed.status?.lockedUrl), 1)
          yield* askForRetry(stage, "1")
          yield* rounds(12, stage)
          // On the other node its first attempt failed too.
          yield* askForRetry(stage, "2")
          yield* rounds(12, stage)
          const { status } = yield* buildIn(stage)
          assert.strictEqual(status?.status, "Succeeded")
          assert.strictEqual(hashIn(status?.lockedUrl), 2)
          assert.strictEqual(status?.nodes?.filter(({ importedTime }) => importedTime !== undefined).length, 2)
        })
    })
  })
)

it.effect("a NixBuild that is made again sees what the forge has now", () =>
  Effect.gen(function* () {
    yield* play({
      given: twoNodesThatFail,
      excused: ["one NixBuild for one wish"],
      happens: (stage) =>
        Effect.gen(function* () {
          yield* rounds(6, stage)
          const { metadata, status } = yield* buildIn(stage)
          assert.strictEqual(hashIn(status?.lockedUrl), 1)
          yield* Effect.orDie(stage.api.objects.remove({ kind: "NixBuild", ...metadata }))
          yield* rounds(20, stage)
          const again = yield* buildIn(stage)
          assert.notStrictEqual(again.metadata.uid, metadata.uid)
          assert.isAbove(hashIn(again.status?.lockedUrl), 1)
        })
    })
  })
)
