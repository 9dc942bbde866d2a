/** Who may send events where `OIDC_AUDIENCE` is set (D 69), with an API server that says whose token it is. */
import { assert, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Option, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { Senders } from "../../lib/server/authentication.ts"
import { fake, type Headers, podEvent, post, serve } from "./serve.ts"

const audience = "enbi-functions"
const ours = "system:serviceaccount:enbi-system:oidc-trigger"

const known = (username: string, audiences: ReadonlyArray<string> | undefined = [audience]) => ({
  status: { authenticated: true, user: { username }, ...(audiences.length === 0 ? {} : { audiences }) }
})

const failure = (status: number) => new KubernetesError({ status, reason: "No", message: "no", retryAfterSeconds: 7 })

/** What the API server says of each token. */
const tokens: Readonly<Record<string, object>> = {
  ours: known(ours),
  theirs: known("system:serviceaccount:apps:default"),
  "of-a-namespace-that-begins-so": known("system:serviceaccount:enbi-system-2:default"),
  person: known("jane"),
  "for-another": known(ours, ["vault"]),
  "for-nobody": known(ours, []),
  forged: { status: { error: "invalid bearer token" } },
  strange: { status: "yes" },
  "not-reviewed": failure(403),
  "while-away": failure(503)
}

const readReview = Schema.decodeUnknownSync(
  Schema.Struct({ spec: Schema.Struct({ token: Schema.String, audiences: Schema.Array(Schema.String) }) })
)

/** An API server that counts what it is asked. */
const makeApi = () => {
  const asked: Array<string> = []
  const api = KubernetesApi.of({
    request: (method, path, options) =>
      Effect.suspend(() => {
        assert.strictEqual(`${method} ${path}`, "POST /apis/authentication.k8s.io/v1/tokenreviews")
        const { audiences, token } = readReview(options?.body?.value).spec
        assert.deepStrictEqual(audiences, [audience])
        asked.push(token)
        const answer = tokens[token]
        return answer instanceof KubernetesError ? Effect.fail(answer) : Effect.succeed(answer)
      }),
    list: () => Effect.die("nothing is listed"),
    follow: () => Stream.never
  })
  return { asked, api }
}

const admitWith = Effect.fnUntraced(function* (settings: Record<string, string>) {
  const { api, asked } = makeApi()
  const services = yield* Layer.build(
    Layer.fresh(Senders.layer).pipe(
      Layer.provide(Layer.succeed(KubernetesApi, api)),
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(settings)))
    )
  )
  return { asked, admit: yield* Effect.provide(Senders, services) }
})

layer(Layer.empty)("senders", (it) => {
  for (const [token, status] of [
    ["ours", 204],
    ["theirs", 403],
    ["of-a-namespace-that-begins-so", 403],
    ["person", 403],
    ["for-another", 401],
    ["for-nobody", 401],
    ["forged", 401],
    ["strange", 401]
  ] as const) {
    it.effect(`a token that is ${token}: ${status}`, () =>
      Effect.gen(function* () {
        const { admit } = yield* admitWith({ OIDC_AUDIENCE: audience })
        assert.strictEqual((yield* admit(`Bearer ${token}`)).status, status)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("what is no token is refused without asking", () =>
    Effect.gen(function* () {
      const { admit, asked } = yield* admitWith({ OIDC_AUDIENCE: audience })
      for (const header of [undefined, "", "Bearer", "Bearer ", "Basic b3Vyczo=", "ours", "Bearer a b"]) {
        assert.strictEqual((yield* admit(header)).status, 401, header)
      }
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.scoped)
  )

  it.effect("a token is asked about once a minute; when it is none, or that fails, with the next event", () =>
    Effect.gen(function* () {
      const { admit, asked } = yield* admitWith({ OIDC_AUDIENCE: audience })
      for (let events = 0; events < 10; events += 1) yield* admit("Bearer ours")
      assert.deepStrictEqual(asked, ["ours"])
      yield* TestClock.adjust("61 seconds")
      yield* admit("bearer ours")
      assert.deepStrictEqual(asked, ["ours", "ours"])
      for (const token of ["while-away", "while-away", "not-reviewed"]) {
        const error = yield* Effect.flip(admit(`Bearer ${token}`))
        assert.strictEqual(error.retryAfterSeconds, 7)
      }
      for (let events = 0; events < 2; events += 1) yield* admit("Bearer forged")
      assert.deepStrictEqual(asked.slice(2), ["while-away", "while-away", "not-reviewed", "forged", "forged"])
    }).pipe(Effect.scoped)
  )

  it.effect("who may not is told so, and nothing is looked at; while nobody knows, the event is to come again", () => {
    const looks: Array<unknown> = []
    const observe = (subject: unknown) => Effect.sync(() => (looks.push(subject), Option.some({})))
    return Effect.gen(function* () {
      const { admit } = yield* admitWith({ OIDC_AUDIENCE: audience })
      const statusWith = Effect.fnUntraced(
        function* (headers: Headers) {
          const { body, headers: answered, status } = yield* post(podEvent(headers), "{}")
          return [status, body, answered["retry-after"]]
        },
        Effect.provide(serve(fake({ observe })).pipe(Layer.provide(Layer.succeed(Senders, admit))))
      )
      const who = "system:serviceaccount:apps:default"
      for (const [headers, expected] of [
        [{}, [401, "no token of this cluster for the audience enbi-functions", undefined]],
        [{ authorization: "Bearer theirs" }, [403, `${who} is not a ServiceAccount of enbi-system`, undefined]],
        [{ authorization: "Bearer while-away" }, [503, "the cluster could not be read or written", "7"]],
        [{ authorization: "Bearer ours" }, [204, "", undefined]]
      ] as const) {
        assert.deepStrictEqual(yield* statusWith(headers), [...expected])
      }
      assert.lengthOf(looks, 1)
    }).pipe(Effect.scoped)
  })

  it.effect("without OIDC_AUDIENCE everybody may", () =>
    Effect.gen(function* () {
      const { admit, asked } = yield* admitWith({})
      for (const header of [undefined, "Bearer forged"]) assert.strictEqual((yield* admit(header)).status, 204)
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.scoped)
  )
})
