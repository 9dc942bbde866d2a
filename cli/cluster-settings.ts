/** The settings that the functions in the cluster run with, so that a dry run decides as they do. */
import { ConfigProvider, Effect, Layer, Option, Schema } from "effect"
import { systemNamespace } from "../lib/names.ts"
import { Settings } from "../lib/settings.ts"
import { Kubectl } from "./kubectl.ts"
import { Trouble } from "./trouble.ts"

const Container = Schema.Struct({
  args: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  env: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.optionalKey(Schema.String) })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed([]))
  )
})
const PodTemplate = Schema.Struct({ spec: Schema.Struct({ containers: Schema.Array(Container) }) })
const Deployment = Schema.fromJsonString(Schema.Struct({ spec: Schema.Struct({ template: PodTemplate }) }))

/** Those of the Deployment of all functions; what our own environment says goes before. */
export const settingsOfCluster = Effect.gen(function* () {
  const { output } = yield* Kubectl
  const text = yield* output(
    "get",
    "deployment/enbi-functions",
    "-n",
    systemNamespace,
    "--ignore-not-found",
    "-o",
    "json"
  )
  const [container] = Option.match(Schema.decodeUnknownOption(Deployment)(text), {
    onNone: () => [],
    onSome: ({ spec }) => spec.template.spec.containers
  })
  const env = (container?.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]))
  const theirs = ConfigProvider.fromEnvRecord(Object.fromEntries(env))
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

const flag = "--node-repel"

const repelledBy = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((arg, index) =>
    args[index - 1] === flag ? [arg] : arg.startsWith(`${flag}=`) ? [arg.slice(flag.length + 1)] : []
  )
