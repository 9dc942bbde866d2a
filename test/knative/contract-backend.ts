/** What the contract tests run on: the stand-in and its time, or the Broker at BROKER_URL and real time. */
import { Clock, Config, Effect, Option } from "effect"
import { answerTo, isRemote } from "./captures.ts"
import { manifests, requests } from "./contract.ts"
import { type Answer, answer, type Headers } from "./http.ts"
import { makeBroker } from "./make-broker.ts"
import { readManifests } from "./manifests.ts"
import { makeRecorder, makeTime } from "./recorder.ts"
import { Wait } from "./time.ts"

const settings = Config.all({
  brokerUrl: Config.String("BROKER_URL").pipe(Config.option),
  host: Config.String("RECORDER_HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.Int("RECORDER_PORT").pipe(Config.withDefault(0))
})

export interface Options {
  /** What the subscribers do; absent: what they did in the captures. */
  readonly respond?: (label: string) => Effect.Effect<Answer | "as captured">
  /** Time-outs pass as soon as the subscriber was reached. */
  readonly timeoutMillis?: number | undefined
  readonly isTracing?: boolean
}

/** A Broker with the contract's Triggers and the recorder behind them, until the scope ends. */
export const makeBackend = Effect.fnUntraced(function* ({ isTracing = false, respond, timeoutMillis }: Options = {}) {
  const { brokerUrl, host, port } = yield* settings
  const time = makeTime()
  const clock = yield* Clock.Clock
  const now = () => (isRemote ? clock.currentTimeMillisUnsafe() : time.now())
  const wait = isRemote ? (millis: number) => Effect.sleep(millis) : time.wait
  const recorder = yield* makeRecorder({
    now,
    address: { host, port },
    respond: Effect.fnUntraced(function* (label, index) {
      const answered = respond === undefined ? "as captured" : yield* respond(label)
      return answered === "as captured" ? yield* asCaptured({ label, index, wait, timeoutMillis }) : answered
    })
  })
  const pass = (millis: number) =>
    millis === timeoutMillis ? Effect.andThen(recorder.next, time.wait(millis)) : time.wait(millis)
  const broker = Option.isSome(brokerUrl)
    ? { url: brokerUrl.value, panicked: Effect.never }
    : yield* Effect.gen(function* () {
        const read = yield* readManifests([JSON.stringify({ kind: "List", items: manifests })], {
          namespace: "cap",
          services: { recorder: recorder.url }
        })
        return yield* makeBroker({ manifests: read, port: 0, isTracing })
      }).pipe(Effect.provideService(Wait, pass))
  return { ...broker, recorder, wait }
})

interface Asked {
  readonly label: string
  readonly index: number
  readonly wait: (millis: number) => Effect.Effect<void>
  readonly timeoutMillis: number | undefined
}

const asCaptured = ({ index, label, timeoutMillis, wait }: Asked): Effect.Effect<Answer | "reset"> => {
  const row = requests.find((one) => one.label === label)
  if (row === undefined) return Effect.succeed(answer(204))
  if (!row.target.endsWith("/hang3s")) return Effect.succeed(answerTo(row, index))
  return timeoutMillis === undefined ? Effect.as(wait(3000), answer(204)) : Effect.never
}

/** For all sinks but those that are named. */
export const asCapturedBut =
  (others: Readonly<Record<string, Effect.Effect<Answer | "as captured">>>): NonNullable<Options["respond"]> =>
  (label) =>
    others[label] ?? Effect.succeed("as captured")

export interface Outgoing {
  readonly method?: string
  readonly to: string
  readonly headers: Headers
  readonly body?: string | undefined
}

/** Sends as anybody might, not as Go does. */
export const send = Effect.fnUntraced(function* (url: string, { body = "", headers, method = "POST", to }: Outgoing) {
  const hasBody = method !== "GET" && method !== "HEAD"
  const response = yield* Effect.promise(() =>
    fetch(`${url}${to}`, {
      method,
      headers: headers.map(([name, value]): [string, string] => [name, value]),
      ...(hasBody ? { body: Buffer.from(body) } : {})
    })
  )
  return {
    status: response.status,
    headers: [...response.headers],
    body: yield* Effect.promise(() => response.text())
  }
})
