/**
 * A sink that keeps each request as it came over the wire and answers what the
 * test says, and a time that passes at once: what would be waited for is added
 * up, so that the gaps between requests can be told without waiting.
 */
import { Effect, Queue } from "effect"
import { type Address, type Answer, type Request, serve } from "./http.ts"

/** `wait` takes no time but is told by `now`. */
export const makeTime = () => {
  let millis = 0
  return {
    now: () => millis,
    wait: (more: number) =>
      Effect.sync(() => {
        millis += more
      })
  }
}

export interface Received extends Request {
  /** The first segment of the path: which sink it was sent to. */
  readonly label: string
  readonly atMillis: number
}

interface Options {
  readonly now: () => number
  /** Absent: a port that is free, on loopback. */
  readonly address?: Address
  /** What the nth request (from 0) to a sink is answered. */
  readonly respond: (label: string, index: number) => Effect.Effect<Answer | "reset">
}

/** Records until the scope ends. */
export const makeRecorder = Effect.fnUntraced(function* ({ now, address = { port: 0 }, respond }: Options) {
  const received: Array<Received> = []
  const arrivals = yield* Queue.unbounded<Received>()
  const to = (label: string) => received.filter((request) => request.label === label)
  const { url } = yield* serve(
    address,
    Effect.fnUntraced(function* (request) {
      const label = request.target.split("/")[1] ?? ""
      const index = to(label).length
      const noted = { ...request, label, atMillis: now() }
      received.push(noted)
      yield* Queue.offer(arrivals, noted)
      return yield* respond(label, index)
    })
  )
  return {
    url,
    /** Of one sink, in the order of their arrival. */
    to,
    /** The next request that nobody has taken yet; waits for it. */
    next: Queue.take(arrivals)
  }
})
