/** `enbi events replay`: shows what events would cause now, or sends them again. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Option } from "effect"
import { CliError, Command, Flag } from "effect/cli"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { Settings } from "../../lib/api/settings.ts"
import { preciseTime } from "../../lib/kubernetes/time.ts"
import { writesOf } from "../../lib/runtime/decision-record.ts"
import { settingsOfCluster } from "../recordings/cluster-settings.ts"
import { decideOn, readOnly } from "./dry-run.ts"
import { disordered, disorderFlags } from "../simulation/disorder.ts"
import type { WholeEvent } from "./event-file.ts"
import { Kubernetes, orTrouble } from "../kubernetes.ts"
import { readEvents, recordedEvents } from "./recorded-events.ts"
import { pausesOf, send } from "./send.ts"
import { BadAnswer, Trouble } from "../exit.ts"
import { eventOf, rowOf, writeOf } from "../output.ts"

const toFlag = Flag.String("to").pipe(
  Flag.withDescription("Where to send the events: the URL of a function or a Broker"),
  Flag.withMetavar("URL"),
  Flag.mapEffect((text) => {
    const url = URL.parse(text)
    return url === null || !/^https?:$/.test(url.protocol)
      ? new CliError.InvalidValue({ option: "to", value: text, expected: "an http or https URL", kind: "flag" })
      : Effect.succeed(url)
  }),
  Flag.optional
)

const applyFlag = Flag.Boolean("apply").pipe(
  Flag.withDescription("Actually send them; by default nothing is sent or written"),
  Flag.withoutNegation,
  Flag.withDefault(false)
)

const speedFlag = Flag.Finite("speed").pipe(
  Flag.withDescription(
    "Keep the pauses between events: 1 is the original speed, 10 is ten times as fast; by default there are no pauses"
  ),
  Flag.filter(
    (value) => value > 0,
    (value) => `--speed ${value}: it must be more than 0`
  ),
  Flag.optional
)

/** The command. */
export const replay = Command.make(
  "replay",
  { ...recordedEvents, to: toFlag, apply: applyFlag, speed: speedFlag, ...disorderFlags },
  Effect.fn("events.replay")(function* ({ apply, speed, to, ...wanted }) {
    const { events: found, functions } = yield* readEvents(wanted)
    const events = yield* disordered(found, wanted)
    if (!apply)
      return yield* showDecisions(
        events,
        functions.filter(({ name }) => Option.getOrElse(wanted.function, () => name) === name)
      )
    if (Option.isNone(to)) {
      return yield* new Trouble({
        message:
          "Choose where to send the events with --to URL: that of a Broker or a function, for example http://localhost:8081 after kubectl port-forward -n enbi-system svc/scheduler 8081:80."
      })
    }
    yield* sendAll(
      to.value,
      events,
      Option.map(speed, (factor) => pausesOf(events, factor))
    )
  })
).pipe(
  Command.withDescription("Show what the functions would do about events now; with --apply, send them again"),
  Command.withExamples([
    {
      command: "enbi events replay --name hello",
      description: "See whether the events about hello would still cause writes (none, if all is well)"
    },
    {
      command: "kubectl get nixbuild hello -o json | enbi events replay -",
      description: "See what the functions would do about an object"
    },
    {
      command:
        "kubectl logs -n enbi-system deploy/dead-letter | enbi events replay - --to http://localhost:8081 --apply",
      description: "Deliver dead letters again"
    }
  ])
)

const showDecisions = Effect.fnUntraced(function* (
  events: ReadonlyArray<WholeEvent>,
  functions: ReadonlyArray<EnbiFunction<unknown>>
) {
  const { connected } = yield* Kubernetes
  const { api } = yield* connected
  const settings = yield* settingsOfCluster(api)
  const cluster = readOnly(api)
  let writes = 0
  for (const event of events) {
    const decided = yield* decideOn(functions, event).pipe(
      Effect.provide(cluster),
      Effect.provideService(Settings, settings)
    )
    yield* Console.log(
      rowOf(
        event.time ?? "",
        eventOf(event),
        event.id,
        decided.some(({ actions }) => actions.length > 0) ? "" : "nothing to do"
      )
    )
    for (const { actions, function: name } of decided) {
      writes += actions.length
      for (const write of writesOf(actions)) yield* Console.log(`  ${name}: ${writeOf(write)}`)
      if (actions.length > 10) yield* Console.log(`  ${name}: and ${actions.length - 10} more`)
    }
  }
  yield* Console.log(
    `${events.length} events would cause ${writes} writes. Nothing was sent or written; --apply --to URL sends them.`
  )
}, orTrouble)

const sendAll = Effect.fnUntraced(function* (
  to: URL,
  events: ReadonlyArray<WholeEvent>,
  pauses: Option.Option<ReturnType<typeof pausesOf>>
) {
  // One mark for all of them, by which they are found in the functions' decisions.
  const replayid = yield* preciseTime
  let refused = 0
  for (const [index, event] of events.entries()) {
    const pause = Option.flatMapNullishOr(pauses, (all) => all[index])
    if (Option.isSome(pause)) yield* Effect.sleep(pause.value)
    const status = yield* send(to, { ...event, replayid })
    if (status >= 300) refused += 1
    yield* Console.log(rowOf(String(status), event.time ?? "", eventOf(event), event.id))
  }
  yield* Console.log(`${events.length} events sent with replayid ${replayid}, ${refused} of them refused.`)
  if (refused > 0) return yield* new BadAnswer()
}, Effect.provide(NodeHttpClient.layerNodeHttp))
