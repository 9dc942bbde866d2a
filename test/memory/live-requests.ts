/** How often the functions ask the API server where there is no cache, each on its own with events as on Knative. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { managedBy } from "../../lib/kubernetes/kinds.ts"
import { namespaceAnnotation, nodeAnnotation } from "../../lib/api/annotations.ts"
import { persistentVolumeName } from "../../lib/api/names.ts"
import { namespace, nixBuild, node, onePod, waitingPod } from "./given.ts"
import { type Request, startKnative } from "./knative.ts"

/** At most so many, of all functions together. */
export const most = {
  /** From a NixBuild's creation until nothing is left of its Jobs, where the cache volume is there. */
  build: 60,
  /** The same of one that a Pod asks for, with its Pod being told and woken. */
  buildForPod: 80,
  /** A sweep that finds nothing, where there are a hundred cache volumes. */
  sweep: 15
}

type Stage = Effect.Success<ReturnType<typeof startKnative>>

const during = Effect.fnUntraced(function* <E>({ requests }: Stage, self: Effect.Effect<unknown, E>) {
  const { length } = requests
  yield* self
  return requests.slice(length)
})

const happens = (stage: Stage, self: Effect.Effect<unknown, unknown>) =>
  during(stage, Effect.andThen(Effect.orDie(self), stage.untilQuiet))

/** One build for the volume, then one that somebody asked for by hand, and one for a Pod. */
export const ofBuilds = Effect.gen(function* () {
  const stage = yield* startKnative(onePod)
  const { create } = stage.api.objects
  yield* stage.untilQuiet
  yield* stage.sweepOnce
  yield* stage.untilQuiet
  yield* TestClock.adjust("1 minute")
  const build = yield* happens(
    stage,
    create(nixBuild({ name: "b", nodes: ["one"], image: "reg.io/b:1", packageName: "good" }))
  )
  yield* TestClock.adjust("1 minute")
  const buildForPod = yield* happens(
    stage,
    create(waitingPod({ name: "c", nodeName: "one", image: "reg.io/c:1", packageName: "good" }))
  )
  yield* stage.close
  return { build, buildForPod }
})

/** Events about many objects, of which many are there. */
export const ofEvents = Effect.fnUntraced(function* (
  given: ReadonlyArray<KubernetesObject>,
  happening: (stage: Stage) => Effect.Effect<unknown, unknown>
) {
  const stage = yield* startKnative(given)
  yield* stage.untilQuiet
  yield* TestClock.adjust("1 minute")
  yield* happens(stage, happening(stage))
  yield* stage.close
  return stage.requests
})

const ten = Array.from({ length: 10 }, (_, index) => index)

/** Ten nodes with the caches of ten namespaces. */
export const ofSweep = Effect.gen(function* () {
  const stage = yield* startKnative(ten.map((index) => node(`node-${index}`)))
  const { create } = stage.api.objects
  for (const index of ten) {
    const { metadata } = yield* Effect.orDie(create(namespace(`namespace-${index}`)))
    for (const at of ten) {
      yield* Effect.orDie(
        create({
          apiVersion: "v1",
          kind: "PersistentVolume",
          metadata: {
            name: persistentVolumeName(metadata.uid, `node-${at}`),
            labels: managedBy,
            annotations: { [namespaceAnnotation]: metadata.name, [nodeAnnotation]: `node-${at}` }
          }
        })
      )
    }
  }
  yield* stage.untilQuiet
  const sweep = yield* during(stage, stage.sweepOnce)
  yield* stage.close
  return sweep
})

/** Whether it reads all Pods or all NixBuilds that there are. */
export const isOfAll = ({ what }: Request): boolean =>
  /^LIST \/api\/v1\/pods( \d+)?$/u.test(what) || /^LIST \/apis\/enbi[^ ]*v1alpha1\/nixbuilds$/u.test(what)
