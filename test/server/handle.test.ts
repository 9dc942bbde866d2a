/** handle(context, event), called as func's runtime (faas-js-runtime 4.0.1, `lib/invoker.js`) calls it. */
import { assert, describe, it } from "@effect/vitest"
import { CloudEvent } from "cloudevents"
import { Effect, Layer } from "effect"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { noContent, notKnown } from "../../lib/server/response.ts"
import { type Incoming, makeHandle } from "../../lib/server/func.ts"
import { Senders } from "../../lib/server/authentication.ts"
import { fake, receiver } from "./serve.ts"

const attributes = { id: "1", source: "/s", type: "t", kind: "Pod", namespace: "apps", name: "a" }
const traceparent = `00-${"1".repeat(32)}-${"1".repeat(16)}-01`

/** What the runtime sends for what a function returns. */
const answerOf = (returned: Awaited<ReturnType<ReturnType<typeof makeHandle>["handle"]>>) =>
  returned === undefined
    ? { status: 204, headers: {}, body: "" }
    : { status: returned.statusCode, headers: returned.headers, body: returned.body }

const call = Effect.fnUntraced(function* (event: Incoming, outcome: Effect.Effect<never, KubernetesError> | undefined) {
  const looks: Array<unknown> = []
  const observe = (subject: unknown) =>
    Effect.suspend(() => {
      looks.push(subject)
      return outcome ?? Effect.succeedNone
    })
  const { handle, init, shutdown } = makeHandle(fake({ observe }), receiver(fake({ observe })))
  yield* Effect.promise(init)
  const returned = yield* Effect.promise(() => handle({ headers: { traceparent } }, event))
  yield* Effect.promise(shutdown)
  return { ...answerOf(returned), looks }
})

describe("handle", () => {
  it.effect("lets in whom the function lets in", () =>
    Effect.gen(function* () {
      const admit = (authorization: string | undefined) =>
        Effect.succeed(authorization === "Bearer ours" ? noContent : notKnown("enbi"))
      const { handle, shutdown } = makeHandle(
        fake(),
        receiver(fake()).pipe(Layer.provide(Layer.succeed(Senders, admit)))
      )
      const statusWith = (headers: Readonly<Record<string, string>>) =>
        Effect.map(
          Effect.promise(() => handle({ headers }, new CloudEvent(attributes))),
          (returned) => answerOf(returned).status
        )
      assert.strictEqual(yield* statusWith({}), 401)
      assert.strictEqual(yield* statusWith({ authorization: "Bearer ours" }), 204)
      yield* Effect.promise(shutdown)
    })
  )

  const events: Record<string, Incoming> = {
    "an event with data": new CloudEvent({ ...attributes, datacontenttype: "application/json", data: { a: 1 } }),
    "an event without data": new CloudEvent(attributes),
    "an event with bytes": new CloudEvent({ ...attributes, data: Buffer.from([0, 255]) }),
    "a plain object that is one": { ...attributes, specversion: "1.0" }
  }
  for (const [what, event] of Object.entries(events)) {
    it.effect(`looks for ${what}, and returns nothing, which becomes 204`, () =>
      Effect.gen(function* () {
        const { looks, status } = yield* call(event, undefined)
        assert.strictEqual(status, 204)
        assert.deepStrictEqual(looks, [{ kind: "Pod", namespace: "apps", name: "a" }])
      })
    )
  }

  const others: Record<string, Incoming> = {
    "the body of a request that is no event": { a: 1 },
    nothing: undefined,
    null: null,
    bytes: Buffer.from("x"),
    text: "x",
    "an event of another version": { ...attributes, specversion: "0.3" }
  }
  for (const [what, event] of Object.entries(others)) {
    it.effect(`refuses ${what} with 400`, () =>
      Effect.gen(function* () {
        const { body, looks, status } = yield* call(event, undefined)
        assert.strictEqual(status, 400)
        assert.match(body, /^no CloudEvent/)
        assert.lengthOf(looks, 0)
      })
    )
  }

  it.effect("says when to come again", () =>
    Effect.gen(function* () {
      const error = new KubernetesError({ status: 429, reason: "TooManyRequests", message: "", retryAfterSeconds: 3 })
      const { headers, status } = yield* call(new CloudEvent(attributes), Effect.fail(error))
      assert.strictEqual(status, 503)
      assert.deepStrictEqual(headers, { "content-type": "text/plain", "retry-after": "3" })
    })
  )
})
