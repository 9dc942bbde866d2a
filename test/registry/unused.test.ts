/** What is taken out of CNCF Distribution: what nothing names any more, and nothing else. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, FileSystem, Layer, Stream } from "effect"
import { createServer } from "node:http"
import { makeStorage } from "../../functions/image-registry/storage.ts"
import { makeBuffers } from "../../functions/image-registry/buffers.ts"
import { removeUnused, unused } from "../../functions/image-registry/unused.ts"
import { hexOf } from "../../lib/oci/image.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { nixBuild, nixImage } from "../memory/given.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { makeFiles } from "./world.ts"

/** In Distribution's place: what it was told to remove. */
const standIn = Effect.gen(function* () {
  const asked: Array<string> = []
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const made = createServer((request, response) => {
        asked.push(`${request.method} ${request.url}`)
        response.writeHead(202).end()
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    (made) => Effect.sync(() => (made.close(), made.closeAllConnections()))
  )
  const address = server.address()
  return { asked, url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}` }
})

const dayAgo = new Date(Date.now() - 25 * 3600 * 1000)

const makeRegistry = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const made = yield* makeFiles
  /** As a push leaves it, a day ago. */
  const push = Effect.fnUntraced(function* (repository: string, name: string, pushedTime = dayAgo) {
    const image = yield* made.keepImage("amd64", [new TextEncoder().encode(name)])
    for (const { digest } of [image.index, image.manifest]) {
      const folder = `${made.root}/docker/registry/v2/repositories/${repository}/_manifests/revisions/sha256/${hexOf(digest)}`
      yield* files.makeDirectory(folder, { recursive: true })
      yield* files.writeFileString(`${folder}/link`, digest)
      yield* files.utimes(`${folder}/link`, pushedTime, pushedTime)
    }
    return image
  })
  return { ...made, push }
})

/** What is removed, where the cluster has these statuses. */
const removes = Effect.fnUntraced(function* (
  root: string,
  given: { readonly image?: object; readonly build?: object }
) {
  const { asked, url } = yield* standIn
  const api = makeApiServer()
  const image = nixImage({ name: "tools", contents: ["jq"] })
  const build = nixBuild({ name: "kept", nodes: [], image: "reg.io/kept:1", packageName: "good" })
  yield* Effect.orDie(api.objects.create({ ...image, status: given.image ?? {} }))
  yield* Effect.orDie(api.objects.create({ ...build, status: given.build ?? {} }))
  const exit = yield* Effect.gen(function* () {
    return yield* removeUnused(yield* makeStorage(root, yield* makeBuffers(1)))
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.succeed(
          KubernetesApi,
          api.connect(() => Stream.never)
        ),
        NodeHttpClient.layerNodeHttp,
        ConfigProvider.layer(ConfigProvider.fromUnknown({ DISTRIBUTION_URL: url, REGISTRY_STORAGE: root }))
      )
    ),
    Effect.orDie,
    Effect.exit
  )
  return { asked, hasEnded: Exit.isSuccess(exit), why: Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "" }
})

const x86 = (digest: string) => ({ system: "x86_64-linux", build: "b", status: "Built", digest })

describe("unused", () => {
  const there = [{ repository: "builds/a", digest: "sha256:1", pushedTime: "2026-01-01T00:00:00Z" }]
  it("is what nothing names", () =>
    assert.deepStrictEqual(unused(there, new Set(["sha256:2"]), "2026-01-02T00:00:01Z"), there))
  it("is not what is named", () =>
    assert.deepStrictEqual(unused(there, new Set(["sha256:1"]), "2026-01-03T00:00:00Z"), []))
  it("is not what is new: its Job may just end", () =>
    assert.deepStrictEqual(unused(there, new Set(), "2026-01-01T23:59:59Z"), []))
})

describe("removeUnused", () => {
  const live = (name: string, test: Effect.Effect<void, unknown, NodeServices.NodeServices>) =>
    it.live(name, () => Effect.provide(test, NodeServices.layer))

  live(
    "asks Distribution to remove what nothing names, by repository and digest",
    Effect.gen(function* () {
      const { push, root } = yield* makeRegistry
      const [now, before, built, nobodys] = [
        yield* push("builds/one", "now"),
        yield* push("builds/one", "before"),
        yield* push("builds/two", "built"),
        yield* push("builds/two", "nobody's")
      ]
      yield* push("builds/two", "new", new Date())
      const { asked, why } = yield* removes(root, {
        image: {
          systems: [x86(now.index.digest)],
          former: [{ digest: before.index.digest, replacedTime: "2026-01-01T00:00:00Z" }]
        },
        build: { imageDigest: built.index.digest }
      })
      assert.strictEqual(why, "")
      assert.sameMembers(asked, [
        `DELETE /v2/builds/two/manifests/${nobodys.index.digest}`,
        `DELETE /v2/builds/two/manifests/${nobodys.manifest.digest}`
      ])
    }).pipe(Effect.scoped)
  )

  live(
    "removes nothing while an image that is named can't be read",
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { pathOf, push, root } = yield* makeRegistry
      const now = yield* push("builds/one", "now")
      yield* push("builds/one", "nobody's")
      yield* files.writeFileString(pathOf(now.index.digest), "half")
      const { asked, why } = yield* removes(root, { image: { systems: [x86(now.index.digest)] } })
      assert.include(why, `something else as the index or manifest ${now.index.digest}`)
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.scoped)
  )

  live(
    "keeps what a NixImage names that this version can't read",
    Effect.gen(function* () {
      const { push, root } = yield* makeRegistry
      const now = yield* push("builds/one", "now")
      const { asked, hasEnded } = yield* removes(root, {
        image: { systems: "another form", newer: [now.index.digest] }
      })
      assert.isTrue(hasEnded)
      // The manifest is that of an index which is named.
      assert.deepStrictEqual(asked, [])
    }).pipe(Effect.scoped)
  )

  live(
    "is not held up by an image that is named and not there",
    Effect.gen(function* () {
      const { push, root } = yield* makeRegistry
      const nobodys = yield* push("builds/one", "nobody's")
      const { asked } = yield* removes(root, { image: { systems: [x86(`sha256:${"0".repeat(64)}`)] } })
      assert.include(asked, `DELETE /v2/builds/one/manifests/${nobodys.index.digest}`)
    }).pipe(Effect.scoped)
  )

  live(
    "finds nothing in an empty registry",
    Effect.gen(function* () {
      const { root } = yield* makeFiles
      assert.deepStrictEqual(yield* removes(root, {}), { asked: [], hasEnded: true, why: "" })
    }).pipe(Effect.scoped)
  )
})
