/** What an ApiServerSource watches, asked of the API server's discovery as the adapter does at its start. */
import { Effect, Schema } from "effect"
import { pathOf } from "../../lib/kubernetes/kind.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import type { Query } from "../../lib/kubernetes/requests.ts"
import type { ApiServerSource, Selector } from "./manifest-schema.ts"

/** One kind, in all namespaces or in the source's own. */
export interface Watch {
  readonly source: ApiServerSource
  readonly path: string
  readonly query: Query
}

const Discovery = Schema.Struct({
  resources: Schema.Array(Schema.Struct({ name: Schema.String, kind: Schema.String, namespaced: Schema.Boolean }))
})

/** Fails when a group and version is not there; a kind that is not in its group is passed over. */
export const watchesOf = Effect.fnUntraced(function* (sources: ReadonlyArray<ApiServerSource>, namespace: string) {
  const api = yield* KubernetesApi
  const asked = sources.flatMap((source) => source.spec.resources.map((resource) => ({ source, resource })))
  const found = yield* Effect.forEach(
    asked,
    Effect.fnUntraced(function* ({ resource, source }) {
      const { apiVersion, kind, selector } = resource
      const answered = yield* api.request("GET", pathOf({ apiVersion, plural: "", namespaced: false }).slice(0, -1))
      const { resources } = yield* Effect.orDie(Schema.decodeUnknownEffect(Discovery)(answered))
      // Subresources have the kind of what they belong to.
      const known = resources.find((one) => one.kind === kind && !one.name.includes("/"))
      if (known === undefined) return yield* Effect.as(Effect.logError(`there is no ${apiVersion} ${kind}`), [])
      const labelSelector = selectorText(selector)
      const own = { namespace: source.metadata.namespace ?? namespace }
      const where = source.spec.namespaceSelector === undefined ? own : {}
      const watch: Watch = {
        source,
        path: pathOf({ apiVersion, plural: known.name, namespaced: known.namespaced }, where),
        query: labelSelector === "" ? {} : { labelSelector }
      }
      return [watch]
    })
  )
  return found.flat()
})

/** A label selector as the API server takes it in a query. */
export const selectorText = ({ matchExpressions = [], matchLabels = {} }: Selector = {}): string =>
  [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values = [] }) => {
      if (operator === "Exists") return key
      if (operator === "DoesNotExist") return `!${key}`
      return `${key} ${operator.toLowerCase()} (${values.join(",")})`
    })
  ].join(",")
