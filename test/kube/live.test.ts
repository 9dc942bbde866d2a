/** Reading without a cache: one object that can't be read does not keep us from the others. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger, Option, Stream } from "effect"
import { nixBuilds } from "../../lib/api/nixbuild.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { live } from "../../lib/kubernetes/cluster.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { nixBuild } from "../memory/given.ts"

const build = nixBuild({ name: "a", image: "reg.io/a:1", packageName: "good", nodes: [] })
const newer = { ...build, metadata: { ...build.metadata, name: "b" }, spec: { ...build.spec, system: "z80-linux" } }

it.effect("leaves alone what it can't read, but says so to those who must be sure", () =>
  Effect.gen(function* () {
    const api = makeApiServer()
    yield* Effect.forEach([build, newer], api.objects.create)
    const cluster = live(api.connect(() => Stream.never))
    const namesOf = (builds: ReadonlyArray<typeof nixBuilds.schema.Type>) => builds.map(({ metadata }) => metadata.name)
    assert.deepStrictEqual(namesOf(yield* cluster.list(all(nixBuilds))), ["a"])
    assert.isTrue(Option.isSome(yield* cluster.get(nixBuilds, { namespace: "apps", name: "a" })))
    assert.isTrue(Option.isNone(yield* cluster.get(nixBuilds, { namespace: "apps", name: "b" })))
    assert.strictEqual((yield* Effect.flip(cluster.listFresh(all(nixBuilds)))).reason, "Malformed")
    assert.strictEqual(
      (yield* Effect.flip(cluster.getFresh(nixBuilds, { namespace: "apps", name: "b" }))).reason,
      "Malformed"
    )
  }).pipe(Effect.provide(Logger.layer([])))
)

it.effect("fails when the API server does", () =>
  Effect.gen(function* () {
    const api = makeApiServer()
    api.fate.faultOf = () => "lost"
    const cluster = live(api.connect(() => Stream.never))
    assert.strictEqual((yield* Effect.flip(cluster.list(all(nixBuilds)))).status, 503)
    assert.strictEqual((yield* Effect.flip(cluster.get(nixBuilds, { name: "a" }))).status, 503)
  })
)
