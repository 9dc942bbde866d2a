/**
 * `enbi events`: the CloudEvents that the functions got. Records them, lists
 * them, and sends them again.
 */
import { Console, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { knownKinds } from "../../lib/kubernetes/kind.ts"
import * as Cache from "../../lib/runtime/watch-cache.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { redact } from "../../lib/runtime/redact.ts"
import type { WholeEvent } from "./event-file.ts"
import { Kubernetes, orTrouble } from "../kubernetes.ts"
import { readEvents, recordedEvents } from "./recorded-events.ts"
import { replay } from "./replay.ts"
import { documentOf, eventOf, outputFlag, rowOf } from "../output.ts"

const asJson = (event: WholeEvent) => Console.log(JSON.stringify(redact(event)))

const record = Command.make(
  "record",
  {},
  Effect.fn("events.record")(function* () {
    const { connected } = yield* Kubernetes
    const { api } = yield* connected
    const layer = Cache.layer(knownKinds()).pipe(Layer.provide(Layer.succeed(KubernetesApi, api)))
    const { follow } = yield* Cache.WatchCache.pipe(Effect.provide(layer))
    yield* follow(asJson)
  }, orTrouble)
).pipe(
  Command.withDescription(
    "Record the events that the functions would receive, as JSON lines, until Ctrl-C: one for each existing object, then each change"
  ),
  Command.withExamples([{ command: "enbi events record > events.jsonl", description: "Until Ctrl-C" }])
)

const list = Command.make(
  "list",
  { ...recordedEvents, output: outputFlag },
  Effect.fn("events.list")(function* ({ output, ...wanted }) {
    const { events } = yield* readEvents(wanted)
    yield* Effect.forEach(
      events,
      output === "json" ? asJson : (event) => Console.log(rowOf(event.time ?? "", eventOf(event), event.id)),
      { discard: true }
    )
  })
).pipe(
  Command.withDescription("List events: those of decisions, of a dead letter log, or of a file"),
  Command.withExamples([
    {
      command: "enbi events list --name hello",
      description: "Everything that led to a decision about an object named hello"
    },
    {
      command: "kubectl logs -n enbi-system deploy/dead-letter | enbi events list -",
      description: "Events that could not be delivered"
    }
  ])
)

const show = Command.make(
  "show",
  { ...recordedEvents, output: outputFlag },
  Effect.fn("events.show")(function* ({ output, ...wanted }) {
    const { events } = yield* readEvents(wanted)
    yield* Effect.forEach(
      events,
      output === "json" ? asJson : (event) => Console.log(documentOf(eventOf(event), redact(event))),
      { discard: true }
    )
  })
).pipe(Command.withDescription("Show events whole"))

/** All of `enbi events`. */
export const events = Command.make("events").pipe(
  Command.withDescription("Record, list and replay the events that the functions received"),
  Command.withSubcommands([record, list, show, replay])
)
