/** Prints what changes in an example until it is as it shall be. */
import { Clock, Console, Effect, Ref, Schedule, Schema } from "effect"
import { CommandFailed } from "../tools/command.ts"
import { kubectl } from "./deploy.ts"

const States = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({
      kind: Schema.String,
      metadata: Schema.Struct({ name: Schema.String }),
      status: Schema.optionalKey(
        Schema.Struct({
          status: Schema.optionalKey(Schema.String),
          buildNode: Schema.optionalKey(Schema.String),
          phase: Schema.optionalKey(Schema.String),
          containerStatuses: Schema.optionalKey(
            Schema.Array(
              Schema.Struct({
                ready: Schema.Boolean,
                state: Schema.Struct({
                  waiting: Schema.optionalKey(Schema.Struct({ reason: Schema.String }))
                })
              })
            )
          )
        })
      )
    })
  )
})

const ours = new Set(["NixBuild", "NixImage"])

const stateOf = ({ kind, metadata, status }: (typeof States.Type)["items"][number]): string => {
  const [container] = status?.containerStatuses ?? []
  const word = ours.has(kind)
    ? `${status?.status ?? "Pending"}${status?.buildNode === undefined ? "" : ` on ${status.buildNode}`}`
    : (container?.state.waiting?.reason ?? (container?.ready === true ? "Ready" : (status?.phase ?? "Pending")))
  return `${kind} ${metadata.name}: ${word}`
}

export const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

interface Example {
  readonly kubeconfig: string
  readonly namespace: string
  /** Matches the line of what is there in the end. */
  readonly end: RegExp
}

export const watchExample = Effect.fnUntraced(function* ({ end, kubeconfig, namespace }: Example) {
  const begin = yield* Clock.currentTimeMillis
  const shown = yield* Ref.make<ReadonlyArray<string>>([])
  const look = Effect.gen(function* () {
    const text = yield* kubectl(kubeconfig, "get", "pods,nixbuilds,niximages", "-n", namespace, "-o", "json")
    const { items } = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(States))(text)
    const lines = items.map(stateOf)
    const before = yield* Ref.getAndSet(shown, lines)
    const at = seconds((yield* Clock.currentTimeMillis) - begin).padStart(9)
    yield* Effect.forEach(
      lines.filter((line) => !before.includes(line)),
      (line) => Console.log(`${at}  ${line}`)
    )
    const failed = lines.find((line) => /^Nix(Build|Image) .*: Failed/.test(line))
    if (failed !== undefined) {
      return yield* new CommandFailed({
        message: `${failed}. Why: kubectl describe nixbuilds,niximages -n ${namespace}`
      })
    }
    return lines.some((line) => end.test(line))
  })
  yield* look.pipe(
    Effect.repeat({ until: (isReady) => isReady, schedule: Schedule.spaced("500 millis") }),
    Effect.timeoutOrElse({
      duration: "5 minutes",
      orElse: () =>
        Effect.fail(
          new CommandFailed({
            message: `The example is not ready after 5 minutes: kubectl describe pods,nixbuilds,niximages -n ${namespace}`
          })
        )
    })
  )
})
