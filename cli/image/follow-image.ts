/** Follows a NixImage, with the NixBuilds that build it, until it is built, has failed, or waits for a person. */
import { Console, Effect, FiberSet, Option, Stream } from "effect"
import { type Condition, type NixImage, nixImages } from "../../lib/api/niximage.ts"
import { isObstacle } from "../../lib/api/reasons.ts"
import { conditionOf } from "../../lib/kubernetes/condition.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { followBuild, versionsOf } from "../build/follow-build.ts"
import { Trouble } from "../exit.ts"

type Api = (typeof KubernetesApi)["Service"]

interface Followed {
  readonly namespace: string
  readonly name: string
  /** All of the logs, not only the builder's own steps. */
  readonly isVerbose: boolean
}

/** The NixImage as it was then. */
export const followImage = Effect.fnUntraced(function* (api: Api, { isVerbose, name, namespace }: Followed) {
  const builds = yield* FiberSet.make()
  const shown = new Set<string>()
  const last = yield* versionsOf(api, nixImages, {
    namespace,
    isThere: true,
    query: { fieldSelector: `metadata.name=${name}` }
  }).pipe(
    Stream.tap((image) =>
      Effect.forEach(
        unfinishedIn(image).filter(({ build }) => !shown.has(build)),
        ({ build, prefix }) => {
          shown.add(build)
          return FiberSet.run(builds, showBuild(api, { namespace, name: build, isVerbose, prefix }))
        },
        { discard: true }
      )
    ),
    Stream.filter((image) => isOver(image) || obstacleIn(image) !== undefined),
    Stream.runHead
  )
  // What was said of the builds last may still be on its way.
  yield* Effect.ignore(Effect.timeout(FiberSet.awaitEmpty(builds), "5 seconds"))
  return Option.isSome(last) ? last.value : yield* new Trouble({ message: "The API server ended the watch." })
}, Effect.scoped)

/** The NixBuilds that it waits for, and how to tell them apart; with an obstacle they may be other people's. */
const unfinishedIn = (image: NixImage) => {
  const systems = isCurrent(image) && obstacleIn(image) === undefined ? (image.status?.systems ?? []) : []
  return systems
    .filter(({ status }) => status !== "Built")
    .map(({ build, system }) => ({ build, prefix: systems.length === 1 ? "" : `[${system}] ` }))
}

// That a build can't be shown does not stop it.
const showBuild = (api: Api, { prefix, ...followed }: Followed & { readonly prefix: string }) =>
  followBuild(api, { ...followed, before: undefined, awaited: { prefix } }).pipe(
    Effect.catch(({ message }) => Console.error(`NixBuild ${followed.name} cannot be shown: ${message}`))
  )

const isCurrent = ({ metadata, status }: NixImage): boolean => status?.observedGeneration === (metadata.generation ?? 1)

/** Nothing is under way any more. */
export const isOver = (image: NixImage): boolean =>
  isCurrent(image) && (image.status?.status === "Built" || image.status?.status === "Failed")

/** What a person has to change before it goes on. */
export const obstacleIn = (image: NixImage): Condition | undefined => {
  const ready = readyOf(image)
  if (!isCurrent(image) || ready?.status !== "False") return undefined
  return isObstacle(ready.reason) || ready.reason === "NixBuildRefused" || ready.reason === "NixBuildDiffers"
    ? ready
    : undefined
}

/** What is said of it as a whole. */
export const readyOf = ({ status }: NixImage): Condition | undefined => conditionOf(status?.conditions ?? [], "Ready")
