/**
 * Creates the requested NixBuild. The same arguments always mean the same one,
 * so a second call finds it; if it failed, it gets another attempt.
 */
import { Clock, Console, Effect, Option } from "effect"
import { phaseOf } from "../../lib/api/nixbuild-condition.ts"
import { pathOf } from "../../lib/kubernetes/kind.ts"
import { conditionsOf, type NixBuild, nixBuilds } from "../../lib/api/nixbuild.ts"
import { decodeAs, getFrom } from "../../lib/kubernetes/cluster.ts"
import { retryAnnotation } from "../../lib/api/annotations.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { makeNixBuild, nameForPeople, type Wanted } from "../../lib/nixbuild/make.ts"
import { Trouble } from "../exit.ts"

type Api = (typeof KubernetesApi)["Service"]
type Spec = Wanted & Pick<NixBuild["spec"], "nodes">

export interface RequestedBuild {
  readonly build: NixBuild
  /** How it was when its last attempt had failed. */
  readonly before?: NixBuild
}

/** A new one, or the one that is there. */
export const requestBuild = Effect.fnUntraced(function* (api: Api, namespace: string, spec: Spec) {
  const name = nameForPeople(spec)
  return yield* api
    .request("POST", pathOf(nixBuilds, { namespace }), {
      query: { fieldValidation: "Strict", fieldManager: "enbi" },
      body: { type: "application/json", value: makeNixBuild({ name, namespace }, spec) }
    })
    .pipe(
      Effect.flatMap(decodeAs(nixBuilds)),
      Effect.map((build): RequestedBuild => ({ build })),
      Effect.tap(() => Console.log(`NixBuild ${namespace}/${name} is created`)),
      Effect.catchIf(
        ({ reason }) => reason === "AlreadyExists",
        () => Effect.flatMap(getFrom(api)(nixBuilds, { namespace, name }), (there) => takeUp(api, there))
      ),
      Effect.catchTag("KubernetesError", (error) => Effect.fail(notAsked(error)))
    )
})

/** Why nothing was created. */
export const notAsked = ({ message, status }: KubernetesError) =>
  new Trouble({
    message:
      status === 404
        ? `${message}: is there such a namespace, and is enbi-functions installed in this cluster?`
        : `The API server rejected it: ${message}`
  })

const takeUp = Effect.fnUntraced(function* (
  api: Api,
  there: Option.Option<NixBuild>
): Effect.fn.Return<RequestedBuild, KubernetesError | Trouble> {
  if (Option.isNone(there) || there.value.metadata.deletionTimestamp !== undefined) {
    return yield* new Trouble({ message: "A NixBuild for this is being deleted: try again." })
  }
  const build = there.value
  const { name, namespace = "" } = build.metadata
  const phase = phaseOf(conditionsOf(build))
  if (phase === "Succeeded") {
    yield* Console.log(
      `NixBuild ${namespace}/${name} is done; for a new one: kubectl delete nixbuild -n ${namespace} ${name}`
    )
    return { build }
  }
  if (phase !== "Failed") {
    yield* Console.log(`NixBuild ${namespace}/${name} is already being built`)
    return { build }
  }
  yield* Console.log(`NixBuild ${namespace}/${name} failed before; starting another attempt`)
  const retry = String(yield* Clock.currentTimeMillis)
  const patched = yield* api.request("PATCH", pathOf(nixBuilds, { namespace, name }), {
    query: { fieldManager: "enbi" },
    body: { type: "application/merge-patch+json", value: { metadata: { annotations: { [retryAnnotation]: retry } } } }
  })
  return { before: build, build: yield* decodeAs(nixBuilds)(patched) }
})
