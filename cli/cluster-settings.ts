/** The settings that the functions in the cluster run with, so that a dry run decides as they do. */
import { ConfigProvider, Effect, Layer, Option, Schema } from "effect"
import { systemNamespace } from "../lib/names.ts"
import { Settings } from "../lib/settings.ts"
import { Kubectl } from "./kubectl.ts"
import { Trouble } from "./trouble.ts"

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
const ConfigMap = Schema.fromJsonString(
  Schema.Struct({
    data: Schema.Record(Schema.String, Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
  })
)
const Deployment = Schema.fromJsonString(Schema.Struct({ spec: Schema.Struct({ template: PodTemplate }) }))

/** Those of the Deployment of all functions; what our own environment says goes before. */
export const settingsOfCluster = Effect.gen(function* () {
  const text = yield* read("deployment/enbi-functions")
  const [container] = Option.match(Schema.decodeUnknownOption(Deployment)(text), {
    onNone: () => [],
    onSome: ({ spec }) => spec.template.spec.containers
  })
  const env = yield* Effect.forEach(container?.env ?? [], valueOf)
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

/** The object's text; nothing if it is not there. */
const read = Effect.fnUntraced(function* (name: string) {
  const { output } = yield* Kubectl
  return yield* output("get", name, "-n", systemNamespace, "--ignore-not-found", "-o", "json")
})

/** The variable with its value, if it has one. */
const valueOf = Effect.fnUntraced(function* ({ name, value, valueFrom }: typeof Variable.Type) {
  const ref = valueFrom?.configMapKeyRef
  if (ref === undefined) return value === undefined ? [] : [[name, value] as const]
  const found = Schema.decodeUnknownOption(ConfigMap)(yield* read(`configmap/${ref.name}`))
  const there = Option.isSome(found) ? found.value.data[ref.key] : undefined
  return there === undefined ? [] : [[name, there] as const]
})

const flag = "--node-repel"

const repelledBy = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((arg, index) =>
    args[index - 1] === flag ? [arg] : arg.startsWith(`${flag}=`) ? [arg.slice(flag.length + 1)] : []
  )
