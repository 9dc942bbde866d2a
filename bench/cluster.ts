/** What the measurements on the cluster do alike: create by the API, and note when a watch tells of what they wait for. */
import { Clock, Effect, Option } from "effect"
import { type Kind, type KubernetesObject, pathOf } from "../lib/kubernetes/kind.ts"
import { type Job, jobs } from "../lib/kubernetes/kinds.ts"
import { type NixBuild, nixBuilds } from "../lib/api/nixbuild.ts"
import { nixBuildAnnotation } from "../lib/api/annotations.ts"
import { systemNamespace } from "../lib/kubernetes/system-namespace.ts"
import { KubernetesApi } from "../lib/kubernetes/connection.ts"
import { type At, eventually, list, nixBuild, when } from "../test/cluster/kubectl.ts"
import { workers } from "../test/cluster/nodes.ts"
import type { Seen } from "../test/cluster/watch.ts"

/** All is measured on one node. */
export const node = workers[0] ?? ""

type Changes<A> = Effect.Effect<ReadonlyArray<Seen<A>>>

/** When it was first seen that an object is so. */
export const firstSeen = <A>(what: string, changes: Changes<A>, isSo: (object: A) => boolean) =>
  eventually(
    what,
    Effect.map(changes, (all) =>
      Option.fromNullishOr(all.find(({ object, verb }) => verb !== "DELETED" && isSo(object)))
    )
  ).pipe(Effect.map(({ timeMillis }) => timeMillis))

export const create = Effect.fnUntraced(function* (kind: Kind, object: KubernetesObject) {
  const api = yield* KubernetesApi
  const body = { type: "application/json", value: object } as const
  yield* api.request("POST", pathOf(kind, { namespace: object.metadata.namespace }), { body })
})

/** Milliseconds from asking for the object until it is so. */
export const timeUntil = Effect.fnUntraced(function* <A>(
  at: { readonly kind: Kind; readonly object: KubernetesObject },
  changes: Changes<A>,
  isSo: (object: A) => boolean
) {
  const begin = yield* Clock.currentTimeMillis
  yield* create(at.kind, at.object)
  return (yield* firstSeen(at.object.metadata.name, changes, isSo)) - begin
})

/** Milliseconds from a NixBuild's creation until its status says Succeeded. */
export const timeBuild = (at: At, spec: Partial<NixBuild["spec"]>, changes: Changes<NixBuild>) =>
  timeUntil(
    { kind: nixBuilds, object: { ...nixBuild(at, { nodes: [node], ...spec }), metadata: { ...at } } },
    changes,
    ({ metadata, status }) =>
      metadata.namespace === at.namespace && metadata.name === at.name && status?.status === "Succeeded"
  )

const isFor =
  (namespace: string) =>
  ({ metadata }: Job): boolean =>
    metadata.annotations?.[nixBuildAnnotation]?.startsWith(`${namespace}/`) === true

/** What the last build leaves to do must not be in the next one's time. */
export const jobsAreGone = (namespace: string) =>
  eventually(
    `the Jobs of ${namespace} go`,
    Effect.map(Effect.all([list(jobs, namespace), list(jobs, systemNamespace)]), (left) =>
      when(true, !left.flat().some(isFor(namespace)))
    )
  )
