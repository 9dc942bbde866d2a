/** The settings that the functions in the cluster run with, so that a dry run decides as they do. */
import { ConfigProvider, Effect, Layer, Option, Schema } from "effect"
import { type Kind, pathOf } from "../../lib/kubernetes/kind.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { systemNamespace } from "../../lib/kubernetes/system-namespace.ts"
import { Settings } from "../../lib/api/settings.ts"
import { Trouble } from "../exit.ts"

const KeyRef = Schema.Struct({ name: Schema.String, key: Schema.String })
const Variable = Schema.Struct({
  name: Schema.String,
  value: Schema.optionalKey(Schema.String),
  valueFrom: Schema.optionalKey(Schema.Struct({ configMapKeyRef: Schema.optionalKey(KeyRef) }))
})
const Container = Schema.Struct({
  args: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  env: Schema.Array(Variable).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
})
const PodTemplate = Schema.Struct({ spec: Schema.Struct({ containers: Schema.Array(Container) }) })
const ConfigMap = Schema.Struct({
  data: Schema.Record(Schema.String, Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
})
const Deployment = Schema.Struct({ spec: Schema.Struct({ template: PodTemplate }) })

type Api = (typeof KubernetesApi)["Service"]

/** Those of the Deployment of all functions; what our own environment says goes before. */
export const settingsOfCluster = Effect.fnUntraced(function* (api: Api) {
  const found = yield* read(api, { apiVersion: "apps/v1", plural: "deployments" }, "enbi-functions")
  const [container] = Option.match(Schema.decodeUnknownOption(Deployment)(found), {
    onNone: () => [],
    onSome: ({ spec }) => spec.template.spec.containers
  })
  const env = yield* Effect.forEach(container?.env ?? [], (variable) => valueOf(api, variable))
  const theirs = ConfigProvider.fromEnvRecord(Object.fromEntries(env.flat()))
  return yield* Settings.pipe(
    Effect.provide(
      Settings.layer(repelledBy(container?.args ?? [])).pipe(Layer.provide(ConfigProvider.layerAdd(theirs)))
    ),
    Effect.mapError(
      ({ message }) =>
        new Trouble({
          message: `The functions' settings are not in deployment/enbi-functions in ${systemNamespace}: give them as environment variables. ${message}`
        })
    )
  )
})

/** Nothing if it is not there. */
const read = (api: Api, kind: Pick<Kind, "apiVersion" | "plural">, name: string) =>
  api.request("GET", pathOf({ ...kind, namespaced: true }, { namespace: systemNamespace, name })).pipe(
    Effect.catchIf(
      (error) => error.isMissing,
      () => Effect.undefined
    )
  )

/** The variable with its value, if it has one. */
const valueOf = Effect.fnUntraced(function* (api: Api, { name, value, valueFrom }: typeof Variable.Type) {
  const ref = valueFrom?.configMapKeyRef
  if (ref === undefined) return value === undefined ? [] : [[name, value] as const]
  const object = yield* read(api, { apiVersion: "v1", plural: "configmaps" }, ref.name)
  const found = Schema.decodeUnknownOption(ConfigMap)(object)
  const there = Option.isSome(found) ? found.value.data[ref.key] : undefined
  return there === undefined ? [] : [[name, there] as const]
})

const flag = "--node-repel"

const repelledBy = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((arg, index) =>
    args[index - 1] === flag ? [arg] : arg.startsWith(`${flag}=`) ? [arg.slice(flag.length + 1)] : []
  )
