/** Whom a function lets in with `OIDC_AUDIENCE`, with tokens of the real API server. */
import { assert, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { Senders } from "../../lib/server/authentication.ts"
import { kubectl, makeNamespace, services } from "./cluster.ts"

const audience = "enbi-functions"
const settings = ConfigProvider.layer(ConfigProvider.fromUnknown({ OIDC_AUDIENCE: audience }))

const tokenOf = (ns: string, ...flags: ReadonlyArray<string>) =>
  Effect.map(kubectl("create", "token", "-n", ns, "default", ...flags), (token) => `Bearer ${token.trim()}`)

it.live("ServiceAccounts of enbi-system with a token for the audience, and nobody else", () =>
  Effect.gen(function* () {
    yield* makeNamespace("senders")
    const admit = yield* Senders
    const ours = yield* tokenOf("enbi-system", `--audience=${audience}`)
    const statusOf = (authorization: string) => Effect.map(admit(authorization), ({ status }) => status)
    assert.strictEqual(yield* statusOf(ours), 204)
    assert.strictEqual(yield* statusOf(yield* tokenOf("enbi-system")), 401)
    assert.strictEqual(yield* statusOf(yield* tokenOf("enbi-system", "--audience=other")), 401)
    assert.strictEqual(yield* statusOf(yield* tokenOf("senders", `--audience=${audience}`)), 403)
    assert.strictEqual(yield* statusOf(`${ours.slice(0, -4)}AAAA`), 401)
  }).pipe(Effect.provide(Senders.layer.pipe(Layer.provide(settings), Layer.provideMerge(services))))
)
