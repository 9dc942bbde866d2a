/** Reads of the cache, or past it. What many of them ask for is read as one list, and once in a look. */
import { Effect, Option } from "effect"
import type { Action } from "../../lib/runtime/action.ts"
import type { Identified, Kind } from "../../lib/kubernetes/kind.ts"
import { type Namespace, namespaces, type Node, nodes } from "../../lib/kubernetes/kinds.ts"
import { type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { buildsIn } from "../../lib/nixbuild/questions.ts"
import { all, type Question } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"

type At = { readonly namespace?: string | undefined; readonly name: string }
type Get<A> = (at: At) => Effect.Effect<Option.Option<A>, KubernetesError>
type All<A> = Effect.Effect<ReadonlyArray<A>, KubernetesError>

export interface Look extends Pick<(typeof Cluster)["Service"], "get" | "list"> {
  readonly builds: All<NixBuild>
  readonly nodes: All<Node>
  readonly build: Get<NixBuild>
  readonly node: Get<Node>
  readonly namespace: Get<Namespace>
}

/** At NixBuilds of this namespace, or at all. */
export const makeLook = Effect.fnUntraced(function* (namespace: string | undefined) {
  const cluster = yield* Cluster
  const builds = yield* readOnce(cluster, namespace === undefined ? all(nixBuilds) : buildsIn(namespace))
  const node = yield* readOnce(cluster, all(nodes))
  const ofNamespaces = yield* readOnce(cluster, all(namespaces))
  const look: Look = {
    ...cluster,
    builds: builds.all,
    nodes: node.all,
    build: builds.get,
    node: node.get,
    namespace: ofNamespaces.get
  }
  return look
})

/** What the API server says now. */
export const lookPast = Effect.map(Cluster, (cluster): Look => {
  const getOf =
    <A extends Identified>(kind: Kind<A>): Get<A> =>
    (at) =>
      cluster.getFresh(kind, at)
  return {
    get: cluster.getFresh,
    list: cluster.listFresh,
    builds: cluster.listFresh(all(nixBuilds)),
    nodes: cluster.listFresh(all(nodes)),
    build: getOf(nixBuilds),
    node: getOf(nodes),
    namespace: getOf(namespaces)
  }
})

const placeOf = ({ name, namespace = "" }: At): string => `${namespace}/${name}`

const readOnce = Effect.fnUntraced(function* <A extends Identified>(
  { list }: (typeof Cluster)["Service"],
  question: Question<A>
) {
  const found = yield* Effect.cached(list(question))
  const byPlace = yield* Effect.cached(
    Effect.map(found, (objects) => new Map(objects.map((object) => [placeOf(object.metadata), object])))
  )
  const get: Get<A> = (at) => Effect.map(byPlace, (objects) => Option.fromUndefinedOr(objects.get(placeOf(at))))
  return { all: found, get }
})

/** What we can't read, such as what a newer version wrote, is in no cache: that is no reason to remove anything. */
export const orNothing = <A, R>(self: Effect.Effect<ReadonlyArray<A>, KubernetesError, R>) =>
  Effect.catchIf(
    self,
    (error) => error.reason === "Malformed",
    () => Effect.succeed<ReadonlyArray<A>>([])
  )

interface Candidacy<Candidate, Facts> {
  readonly lookAt: (look: Look, candidate: Candidate) => Effect.Effect<Facts, KubernetesError>
  readonly act: (facts: Facts) => ReadonlyArray<Action>
  /** However far the cache is behind. */
  readonly isCertain: (facts: Facts) => boolean
}

/** What the API server says of those on which we would act by the cache's word. */
export const confirm = Effect.fnUntraced(function* <Candidate, Facts>(
  look: Look,
  candidates: ReadonlyArray<Candidate>,
  { act, isCertain, lookAt }: Candidacy<Candidate, Facts>
) {
  const past = yield* lookPast
  const found = yield* Effect.forEach(candidates, (candidate) =>
    lookAt(look, candidate).pipe(
      Effect.flatMap((facts) => {
        if (act(facts).length === 0) return Effect.succeed([])
        return isCertain(facts)
          ? Effect.succeed([facts])
          : Effect.map(lookAt(past, candidate), (confirmed) => [confirmed])
      }),
      orNothing
    )
  )
  return found.flat()
})
