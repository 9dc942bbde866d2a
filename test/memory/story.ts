/**
 * A story: objects are there, processes of the functions run, things happen,
 * and at the end all events but the sweep are lost until nothing changes any
 * more. Every function below functions/ takes part.
 */
import { NodeServices } from "@effect/platform-node"
import { assert } from "vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import type { SettingsValue } from "../../lib/api/settings.ts"
import { currentTime } from "../../lib/kubernetes/time.ts"
import { makeApiServer } from "./api-server.ts"
import { awaitedIn, outdatedIn, stateOf, straysIn } from "./ending.ts"
import type { Fault } from "./faults.ts"
import { settings } from "./given.ts"
import type { Stored } from "../../lib/memory/objects.ts"
import { type CheckName, makeOracle } from "./oracle.ts"
import { makeReplica } from "./replica.ts"
import { type Disks, makeWorld } from "./world.ts"

const functions = await Effect.runPromise(
  loadFunctions(new URL("../../functions/", import.meta.url)).pipe(Effect.provide(NodeServices.layer))
)

/** A cluster as it was left at some moment, by whatever version of the functions. */
export interface Past {
  readonly time: string
  readonly objects: ReadonlyMap<string, Stored>
  readonly disks: Disks
}

export interface Script {
  readonly given: ReadonlyArray<KubernetesObject>
  /** What was there before. */
  readonly past?: Past
  /** Functions that take part beside those below functions/. */
  readonly beside?: ReadonlyArray<EnbiFunction<unknown>>
  /** One process for each; a single ordinary one if this is not given. */
  readonly replicas?: ReadonlyArray<Partial<SettingsValue>>
  /** What happens before all events but the sweep are lost. */
  readonly happens?: (stage: Stage) => Effect.Effect<void>
  /** The request of this number, and what becomes of it. */
  readonly fault?: { readonly request: number; readonly as: Fault }
  /** Checks that the story breaks on purpose. */
  readonly excused?: ReadonlyArray<CheckName>
  /** Rounds in which nothing happens until all is taken to be settled: more than one where something waits for its time. */
  readonly quietRounds?: number
}

const makeStage = Effect.fnUntraced(function* ({ beside = [], excused = [], given, past, replicas = [{}] }: Script) {
  const api = makeApiServer()
  const world = makeWorld(api.objects, past?.disks)
  if (past !== undefined) yield* TestClock.setTime(Date.parse(past.time))
  for (const object of past?.objects.values() ?? []) yield* Effect.orDie(api.objects.restore(object))
  // What was done before is not held to the laws of today.
  const oracle = makeOracle(api.objects, { world, excused })
  for (const object of given) yield* Effect.orDie(api.objects.create(object))
  const processes = replicas.map((differing) =>
    makeReplica({ api, oracle, functions: [...functions, ...beside], settings: { ...settings, ...differing } })
  )
  for (const replica of processes) yield* replica.start
  const [first] = processes
  return first === undefined ? yield* Effect.die("a story needs a process") : { api, world, oracle, processes, first }
})

export type Stage = Effect.Success<ReturnType<typeof makeStage>>

const mustHold = ({ oracle: { breaches } }: Stage) => assert.deepStrictEqual(breaches, [], breaches.join("\n"))

/** Everybody else acts, time passes, each process sweeps. */
export const round = Effect.fnUntraced(function* (stage: Stage) {
  yield* stage.world.tick
  yield* TestClock.adjust("30 seconds")
  for (const replica of stage.processes) yield* replica.sweep
  mustHold(stage)
})

/** A further attempt comes by itself. */
const isPending = ({ objects }: Stage["api"]["objects"], time: string): boolean =>
  [...objects.values()].some(
    ({ kind, status }) =>
      kind === "NixBuild" &&
      [...JSON.stringify(status ?? {}).matchAll(/"retryTime":"([^"]*)"/g)].some(([, at = ""]) => at > time)
  )

/** Sweeps until nothing changes; then neither time nor what happened before, told once more, may lead to a write. */
const settle = Effect.fnUntraced(function* (stage: Stage, quietRounds: number) {
  const { api, processes } = stage
  const sizeOf = () => `${api.objects.log.length} changes, ${api.requests.length} requests`
  for (const replica of processes) {
    replica.condition.lagging.clear()
    if (!replica.isUp()) yield* replica.start
  }
  for (let rounds = 0, quiet = 0; quiet < quietRounds; rounds += 1) {
    // The last of all retries comes after 900 s.
    assert.isBelow(rounds, 80, `it never settles: ${api.attempts.slice(-10).join(", ")}`)
    const before = sizeOf()
    yield* round(stage)
    quiet = before === sizeOf() && !isPending(api.objects, yield* currentTime) ? quiet + 1 : 0
  }
  const { length } = api.attempts
  const mustBeQuiet = (after: string) =>
    assert.deepStrictEqual(api.attempts.slice(length), [], `written though all was settled, ${after}`)
  yield* TestClock.adjust("5 minutes")
  for (const replica of processes) yield* replica.sweep
  mustBeQuiet("five minutes later")
  for (const replica of processes) {
    for (const event of Array.from(replica.history.values())) yield* replica.deliver(event)
  }
  mustBeQuiet("when all that ever happened was told again")
})

export const play = (script: Script) =>
  Effect.gen(function* () {
    const stage = yield* makeStage(script)
    const { api } = stage
    const { fault } = script
    if (fault !== undefined) api.fate.faultOf = ({ request }) => (request === fault.request ? fault.as : undefined)
    yield* script.happens?.(stage) ?? Effect.void
    yield* settle(stage, script.quietRounds ?? 1)
    mustHold(stage)
    assert.deepStrictEqual(straysIn(api.objects.objects), [], "Jobs that belong to nothing")
    assert.deepStrictEqual(outdatedIn(api.objects.objects), [], "conditions of an older generation")
    assert.deepStrictEqual(awaitedIn(api.objects.objects), [], "over, and not said to be")
    const { attempts, objects, requests, writes } = api
    return { state: stateOf(objects.objects), objects: objects.objects, log: objects.log, writes, attempts, requests }
  }).pipe(Effect.provide([TestClock.layer(), Logger.layer([])]))
