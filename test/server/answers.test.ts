/** What a function answers to whatever is sent to it: by the catalogue of hostile events, each row with its number. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { gzipSync } from "node:zlib"
import type { Action } from "../../lib/runtime/action.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { maxBodyBytes } from "../../lib/server/response.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { counted, withMetrics } from "../metrics/scrape.ts"
import { type Body, fake, type Headers, podEvent, post, serve, sweepEvent } from "./serve.ts"

const json = JSON.stringify
const without = (name: string) => Object.fromEntries(Object.entries(podEvent()).filter(([header]) => header !== name))
const event = { specversion: "1.0", id: "1", source: "/s", type: "t", kind: "Pod", namespace: "apps", name: "a" }
const structured = { "content-type": "application/cloudevents+json" }
const sized = (bytes: number): string => json("x".repeat(bytes - 2))
const deep = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`

/** How often the function looked, and what it answered. */
const send = (headers: Headers, body: Body = "") => {
  const seen: Array<unknown> = []
  const observe = (subject: unknown) =>
    Effect.sync(() => {
      seen.push(subject)
      return Option.none()
    })
  return Effect.map(post(headers, body), (answer) => ({ ...answer, seen })).pipe(
    Effect.provide(serve(fake({ observe })))
  )
}

describe("an event", () => {
  const rows: Record<string, readonly [status: number, headers: Headers, body?: Body]> = {
    "as ApiServerSource sends it": [204, podEvent(), "{}"],
    "in structured mode": [204, structured, json(event)],
    "with an empty namespace": [204, podEvent({ "ce-namespace": "" }), "{}"],
    "that is the sweep, with data of any kind": [204, { ...sweepEvent, "content-type": "text/plain" }, "{"],
    "61 without id": [400, without("ce-id")],
    "61 without source": [400, without("ce-source")],
    "61 without type": [400, without("ce-type")],
    "61 of version 0.3": [400, podEvent({ "ce-specversion": "0.3" })],
    "61 of version 2.0": [400, podEvent({ "ce-specversion": "2.0" })],
    "61 that is none": [400, { "content-type": "application/json" }, "{}"],
    "61 that is a form": [400, { "content-type": "application/x-www-form-urlencoded" }, "a=b"],
    "62 in structured mode, with headers of binary mode": [204, podEvent(structured), json(event)],
    "62 in binary mode, whose body is an event": [204, podEvent(), json(event)],
    "62 as a batch": [400, { "content-type": "application/cloudevents-batch+json" }, json([event])],
    "62 in another format": [400, { "content-type": "application/cloudevents+protobuf" }, "x"],
    "62 in structured mode, called JSON": [400, { "content-type": "application/json" }, json(event)],
    "62 whose body is no JSON": [400, podEvent(), "{"],
    "62 whose body is compressed": [400, podEvent({ "content-encoding": "gzip" }), gzipSync("{}")],
    "62 with a byte order mark": [204, structured, `\u{feff}${json(event)}`],
    "63 of 64 KiB": [204, podEvent(), sized(64 * 1024)],
    "63 of 1 MiB": [204, podEvent(), sized(1024 ** 2)],
    "63 as large as it may be": [204, podEvent(), sized(maxBodyBytes)],
    "63 one byte larger": [413, podEvent(), sized(maxBodyBytes + 1)],
    "63 of 2 MiB": [413, structured, json({ ...event, data: "x".repeat(2 * 1024 ** 2) })],
    "63 with JSON 10,000 deep": [204, podEvent(), deep(10_000)],
    "63 with JSON 700,000 deep": [204, podEvent(), deep(700_000)],
    "63 with an attribute twice": [400, structured, json(event).replace("{", '{"kind":"Job",')],
    "63 with a key of the data twice": [204, podEvent(), '{"a":1,"a":2}'],
    "63 with a prototype as attribute": [400, structured, json(event).replace("{", '{"__proto__":{"kind":"Job"},')],
    "63 with a prototype in its data": [
      204,
      podEvent(),
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    ],
    "63 with a prototype's name as header": [400, podEvent({ "ce-__proto__": "x" })],
    "63 with an object's method as attribute": [204, podEvent({ "ce-tostring": "x", "ce-constructor": "x" })],
    "68 from 1970": [204, podEvent({ "ce-time": "1970-01-01T00:00:00Z" })],
    "68 from 2100": [204, podEvent({ "ce-time": "2100-01-01T00:00:00.000000001+23:59" })],
    "68 from no time": [400, podEvent({ "ce-time": "soon" })],
    "with a fault in an attribute of a name that swells the answer": [
      400,
      structured,
      json({ ...event, ["a".repeat(2000)]: 1.5 })
    ],
    // Unless OIDC_AUDIENCE is set (senders.test.ts): whoever can reach the function can have it look, and nothing is
    // ever done by an event's word.
    "69 without a token": [204, podEvent()],
    "69 with anybody's token": [204, podEvent({ authorization: "Bearer xyzzy" })],
    "whose name would be another path of the API server": [400, podEvent({ "ce-name": "../../secrets/a" })],
    "whose name would be a query": [400, podEvent({ "ce-name": "a?watch=1" })],
    "whose namespace would be another path": [400, podEvent({ "ce-namespace": "a/pods/b" })],
    "whose name is too long": [400, podEvent({ "ce-name": "a".repeat(254) })],
    "whose kind is none": [400, podEvent({ "ce-kind": "Pod/../x" })],
    "whose id would swell the log": [400, podEvent({ "ce-id": "a".repeat(1025) })]
  }
  for (const [what, [status, headers, body]] of Object.entries(rows)) {
    it.effect(`${what}: ${status}`, () =>
      Effect.gen(function* () {
        const answer = yield* send(headers, body)
        assert.strictEqual(answer.status, status, answer.body)
        assert.isBelow(Buffer.byteLength(answer.body), 512)
        assert.strictEqual(answer.body === "", status === 204)
        assert.lengthOf(answer.seen, status === 204 ? 1 : 0)
        assert.notProperty({}, "polluted")
      })
    )
  }

  for (const [bytes, status] of [
    [maxBodyBytes, 204],
    [maxBodyBytes + 1, 413]
  ] as const) {
    it.effect(`63 of ${bytes} bytes, in pieces that nobody announced: ${status}`, () =>
      Effect.gen(function* () {
        const pieces = Stream.fromIterable(sized(bytes).match(/.{1,65536}/gs) ?? []).pipe(Stream.encodeText)
        const request = HttpClientRequest.post("/").pipe(
          HttpClientRequest.bodyStream(pieces, { contentType: "application/json" }),
          HttpClientRequest.setHeaders(podEvent())
        )
        assert.strictEqual((yield* HttpClient.execute(request)).status, status)
      }).pipe(Effect.provide(serve(fake())))
    )
  }

  const needless: Record<string, Headers> = {
    "of a kind that the function did not ask for": podEvent({ "ce-kind": "Secret" }),
    "about nothing": { ...sweepEvent, "ce-type": "something.else" }
  }
  for (const [what, headers] of Object.entries(needless)) {
    it.effect(`${what}: 204 without a look`, () =>
      Effect.gen(function* () {
        const { seen, status } = yield* send(headers)
        assert.strictEqual(status, 204)
        assert.lengthOf(seen, 0)
      })
    )
  }

  it.effect("is answered without what was sent, which may be a secret", () =>
    Effect.gen(function* () {
      for (const headers of [podEvent({ "ce-time": "xyzzy" }), podEvent({ "ce-xyzzy-a": "xyzzy" })]) {
        const { body, status } = yield* send(headers, "xyzzy")
        assert.strictEqual(status, 400)
        assert.notInclude(body, "xyzzy")
      }
    })
  )
})

describe("what becomes of the look", () => {
  const error = (status: number, retryAfterSeconds?: number) =>
    new KubernetesError({
      status,
      reason: "Because",
      message: "secret",
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
    })
  const rows: Record<
    string,
    readonly [status: number, retryAfter: string | undefined, Effect.Effect<never, KubernetesError>]
  > = {
    "the API server does not answer": [503, "1", Effect.fail(error(0))],
    "the API server is overloaded, and says for how long": [503, "7", Effect.fail(error(429, 6.5))],
    "the API server has an internal error": [503, "1", Effect.fail(error(500))],
    "the API server does not know us": [503, "1", Effect.fail(error(401))],
    "we may not": [503, "1", Effect.fail(error(403))],
    "a mistake of ours": [503, "1", Effect.die(new Error("secret"))]
  }
  for (const [what, [status, retryAfter, outcome]] of Object.entries(rows)) {
    for (const where of ["mapEvent", "observe"] as const) {
      it.effect(`${what}, in ${where}: ${status}`, () =>
        Effect.gen(function* () {
          const answer = yield* post(podEvent())
          assert.strictEqual(answer.status, status)
          assert.strictEqual(answer.headers["retry-after"], retryAfter)
          assert.notInclude(answer.body, "secret")
          assert.deepStrictEqual(yield* counted, {
            [`nixbuild_events_total{function="fake",code="${status}"}`]: 1
          })
        }).pipe(Effect.provide(serve(fake({ [where]: () => outcome }))), withMetrics)
      )
    }
  }

  const create: Action = {
    action: "Create",
    why: "a test",
    object: { apiVersion: "batch/v1", kind: "Job", metadata: { name: "job", namespace: "apps" } }
  }

  it.effect("the API server can't be written: 503, and nothing was", () => {
    const api = makeApiServer()
    api.fate.faultOf = ({ write }) => (write === undefined ? undefined : "throttled")
    return Effect.gen(function* () {
      const answer = yield* post(podEvent())
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers["retry-after"], "5")
      assert.deepStrictEqual(api.writes, [])
    }).pipe(Effect.provide(serve(fake({ decide: () => [create] }), api)))
  })

  it.live("somebody has changed the object each time: 503, and it comes again", () => {
    const api = makeApiServer()
    const target = { kind: "Job", name: "job", namespace: "apps", uid: "other", resourceVersion: "0" } as const
    const decide = (): ReadonlyArray<Action> => [{ action: "Patch", why: "a test", target, patch: {} }]
    return Effect.gen(function* () {
      yield* api.objects.create(create.object)
      assert.strictEqual((yield* post(podEvent())).status, 503)
      assert.lengthOf(api.attempts, 3)
    }).pipe(Effect.provide(serve(fake({ decide }), api)))
  })

  it.effect("somebody else has the name: 204, since a second try soon would end the same", () => {
    const api = makeApiServer()
    const object = { ...create.object, metadata: { ...create.object.metadata, labels: { a: "b" } } }
    const logs: Array<string> = []
    return Effect.gen(function* () {
      yield* api.objects.create(create.object)
      const answer = yield* post(podEvent())
      assert.strictEqual(answer.status, 204)
      assert.match(logs.join("\n"), /left to the next sweep.*NameTaken/)
    }).pipe(Effect.provide(serve(fake({ decide: () => [{ ...create, object }] }), api, logs)))
  })

  it.effect("one of a sweep's objects fails: the others are looked at, and the sweep comes again", () => {
    const seen: Array<string> = []
    const mapEvent = () => Effect.succeed(["a", "b", "c"].map((name) => ({ kind: "Pod", name })))
    const observe = ({ name }: { readonly name: string }) =>
      Effect.suspend(() => {
        seen.push(name)
        return name === "b" ? Effect.fail(error(0)) : Effect.succeedNone
      })
    return Effect.gen(function* () {
      assert.strictEqual((yield* post(sweepEvent)).status, 503)
      assert.sameMembers(seen, ["a", "b", "c"])
    }).pipe(Effect.provide(serve(fake({ mapEvent, observe }))))
  })
})

describe("beside events", () => {
  it.effect("it lives and is ready, and says what it counted", () =>
    Effect.gen(function* () {
      for (const path of ["/health/liveness", "/health/readiness"]) {
        assert.strictEqual((yield* HttpClient.get(path)).status, 200)
      }
      yield* post(podEvent())
      const text = yield* Effect.flatMap(HttpClient.get("/metrics"), (response) => response.text)
      assert.include(text, 'nixbuild_events_total{function="fake",code="204"} 1')
    }).pipe(Effect.provide(serve(fake())), withMetrics)
  )

  it.effect("nothing is anywhere else", () =>
    Effect.gen(function* () {
      for (const path of ["/", "/x", "/health"]) assert.strictEqual((yield* HttpClient.get(path)).status, 404)
    }).pipe(Effect.provide(serve(fake())))
  )
})
