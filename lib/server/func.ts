/**
 * A function as `func` (faas-js-runtime 4) expects it: `handle(context, event)`.
 * The runtime reads the event with the CloudEvents SDK and limits its body;
 * what is done and answered is the same as by our own server.
 */
import type { CloudEvent } from "cloudevents"
import { Effect, type Layer, ManagedRuntime } from "effect"
import { readEvent } from "../cloudevents/json-format.ts"
import type { EnbiFunction } from "../runtime/function.ts"
import { messageOf } from "./response.ts"
import { services } from "./main.ts"
import { Receiver } from "./receiver.ts"

/** The part of func's context that matters. */
export interface Context {
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
}

/** An event, or the body of a request that is none. */
export type Incoming = CloudEvent<unknown> | Readonly<Record<string, unknown>> | Uint8Array | string | null | undefined

/** Nothing becomes 204; `body` goes out as it is. */
export interface Response {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** `layer`: the services that the function needs, built with the first event unless `init` was called before. */
export const makeHandle = (
  definition: EnbiFunction<unknown>,
  layer: Layer.Layer<Receiver, unknown> = services(definition)
) => {
  const runtime = ManagedRuntime.make(layer)
  const handle = Effect.fnUntraced(function* ({ headers = {} }: Context, incoming: Incoming) {
    const { receive } = yield* Receiver
    const textOf = (header: string) => (typeof headers[header] === "string" ? headers[header] : undefined)
    const answer = yield* receive({
      // The runtime has read it already.
      bytes: 0,
      read: Effect.fromResult(readEvent(isEvent(incoming) ? incoming.toJSON() : incoming)),
      traceparent: textOf("traceparent"),
      authorization: textOf("authorization")
    })
    if (answer.status === 204) return undefined
    const message = messageOf(answer)
    return { ...message, statusCode: answer.status, headers: { "content-type": "text/plain", ...message.headers } }
  })
  return {
    /** Fails when a setting is missing, before any event comes. */
    init: (): Promise<void> => runtime.runPromise(Effect.void),
    handle: (context: Context, incoming: Incoming): Promise<Response | undefined> =>
      runtime.runPromise(handle(context, incoming)),
    shutdown: (): Promise<void> => runtime.dispose()
  }
}

/** The SDK's events have members that are undefined or said twice; as JSON has them they have not. */
const isEvent = (incoming: Incoming): incoming is CloudEvent<unknown> =>
  typeof incoming === "object" && incoming !== null && "toJSON" in incoming && typeof incoming.toJSON === "function"
