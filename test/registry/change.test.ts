/** What becomes of the registry's answers when NixImages change, and when its storage is not what it should be. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, FileSystem } from "effect"
import { TestClock } from "effect/testing"
import { type Answer, type Asked, built, type Files, makeFiles, nixImage, ready, serve } from "./world.ts"

const bytes = (length: number, seed: number) => new Uint8Array(length).map((_, at) => (at * seed) % 253)

const made = Effect.gen(function* () {
  const files = yield* makeFiles
  const before = yield* files.keepImage("amd64", [bytes(200_000, 7)])
  const after = yield* files.keepImage("amd64", [bytes(200_000, 11)])
  return { files, before, after }
})

const one = { name: "x", status: { status: "Built", holds: "x:v1" } } as const

const messageOf = ({ body }: Answer) => JSON.parse(body.toString()).errors[0].message

type Ask = (asked: Asked) => Effect.Effect<Answer, Error>

const statusOf = (ask: Ask, path: string) => Effect.map(ask({ path }), ({ status }) => status)

layer(NodeServices.layer)("a change of a NixImage", (it) => {
  it.effect("other contents: the tag is the new image, and the one before can be had by digest for its time", () =>
    Effect.gen(function* () {
      const { after, before, files } = yield* made
      const status = { ...one.status, systems: [built(after.index.digest)] }
      const former = [{ digest: before.index.digest, replacedTime: "2026-11-30T11:00:00Z" }]
      const { ask, tell } = yield* serve({ files, items: [nixImage({ ...one, status: { ...status, former } })] })
      const tagged = yield* ask({ path: "/v2/x/manifests/v1" })
      assert.strictEqual(tagged.headers["docker-content-digest"], after.index.digest)
      const old = [
        `/v2/x/manifests/${before.index.digest}`,
        `/v2/x/manifests/${before.manifest.digest}`,
        `/v2/x/blobs/${before.layers[0]?.digest}`
      ]
      const statuses = Effect.forEach(old, (path) => statusOf(ask, path))
      assert.deepStrictEqual(yield* statuses, [200, 200, 200])
      yield* tell("MODIFIED", nixImage({ ...one, status }))
      assert.deepStrictEqual(yield* statuses, [404, 404, 404])
    }).pipe(Effect.scoped)
  )

  it.effect("a hundred clients are told at once that it is being built, and have it when it is", () =>
    Effect.gen(function* () {
      const { after, files } = yield* made
      // Whatever the registry asked of the API server would end this test.
      const waiting = nixImage({
        ...one,
        status: { status: "Building", holds: "x:v1", ...ready("place 3 in the queue") }
      })
      const { ask, tell } = yield* serve({ files, items: [waiting] })
      const all = Effect.all(
        Array.from({ length: 100 }, () => ask({ path: "/v2/x/manifests/v1" })),
        { concurrency: "unbounded" }
      )
      const told = yield* all
      assert.deepStrictEqual(
        [...new Set(told.map(({ phrase, status }) => `${status} ${phrase}`))],
        ["503 Building: place 3 in the queue (kubectl describe niximage -n apps x)"]
      )
      yield* tell("MODIFIED", nixImage({ ...one, status: { ...one.status, systems: [built(after.index.digest)] } }))
      const got = yield* all
      assert.deepStrictEqual(
        [...new Set(got.map(({ headers }) => headers["docker-content-digest"]))],
        [after.index.digest]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("deleted: its tag is gone at once, and so is what it was made of", () =>
    Effect.gen(function* () {
      const { before, files } = yield* made
      const image = nixImage({ ...one, status: { ...one.status, systems: [built(before.index.digest)] } })
      const { ask, tell } = yield* serve({ files, items: [image] })
      const paths = ["/v2/x/manifests/v1", "/v2/apps/x/manifests/v1", `/v2/x/blobs/${before.layers[0]?.digest}`]
      const statuses = Effect.forEach(paths, (path) => statusOf(ask, path))
      assert.deepStrictEqual(yield* statuses, [200, 200, 200])
      // Something holds it back, and it goes on being deleted.
      const going = nixImage({
        ...one,
        status: image.status ?? {},
        metadata: { deletionTimestamp: "2026-11-30T11:00:00Z" }
      })
      yield* tell("MODIFIED", going)
      assert.deepStrictEqual(yield* statuses, [404, 404, 404])
      yield* tell("DELETED", going)
      assert.deepStrictEqual(yield* statuses, [404, 404, 404])
    }).pipe(Effect.scoped)
  )

  it.effect("changed: what was built before is served until the next is built, under the tag that it had", () =>
    Effect.gen(function* () {
      const { after, before, files } = yield* made
      const status = { ...one.status, systems: [built(before.index.digest)] }
      const { ask, tell } = yield* serve({ files, items: [nixImage({ ...one, status })] })
      const digestUnder = (path: string) =>
        Effect.map(ask({ path: `/v2/${path}` }), (answer) => answer.headers["docker-content-digest"] ?? answer.status)
      const data = { contents: ["jq", "curl"] }
      yield* tell("MODIFIED", nixImage({ ...one, data, generation: 2, status }))
      assert.deepStrictEqual(
        [yield* digestUnder("x/manifests/v1"), yield* digestUnder("apps/x/manifests/v1")],
        [before.index.digest, before.index.digest]
      )
      const building = { ...status, observedGeneration: 2, status: "Building" } as const
      yield* tell("MODIFIED", nixImage({ ...one, data, generation: 2, status: building }))
      assert.strictEqual(yield* digestUnder("x/manifests/v1"), before.index.digest)
      const next = { ...building, status: "Built", systems: [built(after.index.digest)] } as const
      yield* tell("MODIFIED", nixImage({ ...one, data, generation: 2, status: next }))
      assert.strictEqual(yield* digestUnder("x/manifests/v1"), after.index.digest)
      assert.strictEqual(yield* digestUnder(`x/manifests/${after.manifest.digest}`), after.manifest.digest)
      // A tag that came with the change is of nothing that was built before it.
      yield* tell("MODIFIED", nixImage({ ...one, data: { tag: "v2" }, generation: 3, status: next }))
      assert.strictEqual(yield* digestUnder("apps/x/manifests/v2"), 503)
      assert.strictEqual(yield* digestUnder("x/manifests/v2"), 503)
      assert.strictEqual(yield* digestUnder("x/manifests/v1"), 404)
    }).pipe(Effect.scoped)
  )

  it.effect("of its place in the queue: the next answer says so", () =>
    Effect.gen(function* () {
      const { files } = yield* made
      const at = (place: number) =>
        nixImage({
          name: "x",
          status: { status: "Building", holds: "x:v1", ...ready(`place ${place} in the queue, NixBuild apps/x`) }
        })
      const { ask, tell } = yield* serve({ files, items: [at(2)] })
      for (const place of [1, 0]) {
        yield* tell("MODIFIED", at(place))
        const { phrase } = yield* ask({ method: "HEAD", path: "/v2/x/manifests/v1" })
        assert.match(phrase, new RegExp(`^Building: place ${place} in the queue, NixBuild apps/x`, "u"))
      }
    }).pipe(Effect.scoped)
  )
})

layer(NodeServices.layer)("the storage", (it) => {
  const served = Effect.gen(function* () {
    const { before, files } = yield* made
    const systems = [built(before.index.digest)]
    const { ask } = yield* serve({ files, items: [nixImage({ ...one, status: { ...one.status, systems } })] })
    const [stored] = before.layers
    const path = files.pathOf(stored?.digest ?? "")
    return { ask, before, files, layer: { path, asked: { path: `/v2/x/blobs/${stored?.digest}` } } }
  })

  it.effect("is away: 503, and what it has when it is back is served", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { ask, files, layer: stored } = yield* served
      yield* fs.rename(`${files.root}/docker`, `${files.root}/away`)
      for (const path of ["/v2/x/manifests/v1", stored.asked.path]) {
        const answer = yield* ask({ path })
        assert.strictEqual(answer.status, 503)
        assert.include(messageOf(answer), "storage does not give sha256:")
        assert.strictEqual(answer.headers["retry-after"], "10")
      }
      yield* fs.rename(`${files.root}/away`, `${files.root}/docker`)
      for (const path of ["/v2/x/manifests/v1", stored.asked.path]) assert.strictEqual(yield* statusOf(ask, path), 200)
      // Manifests are in memory by now, layers are not.
      yield* fs.rename(`${files.root}/docker`, `${files.root}/away`)
      assert.deepStrictEqual(
        [yield* statusOf(ask, "/v2/x/manifests/v1"), yield* statusOf(ask, stored.asked.path)],
        [200, 503]
      )
    }).pipe(Effect.scoped)
  )

  const damages: Record<string, (files: FileSystem.FileSystem, path: string) => Effect.Effect<void, unknown>> = {
    "is empty": (fs, path) => fs.writeFile(path, new Uint8Array()),
    "ends early": (fs, path) => fs.truncate(path, 199_999),
    "is longer": (fs, path) => fs.writeFile(path, bytes(200_001, 7)),
    "is gone": (fs, path) => fs.remove(path),
    "is a folder": (fs, path) => Effect.andThen(fs.remove(path), fs.makeDirectory(path))
  }
  for (const [what, damage] of Object.entries(damages)) {
    it.effect(`has a layer that ${what}: never 200, until it is whole again`, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { ask, layer: stored } = yield* served
        yield* damage(fs, stored.path)
        for (const method of ["HEAD", "GET"]) {
          assert.strictEqual((yield* ask({ method, ...stored.asked })).status, 503)
        }
        assert.strictEqual((yield* ask({ ...stored.asked, headers: { range: "bytes=0-1" } })).status, 503)
        yield* fs.remove(stored.path, { recursive: true, force: true })
        yield* fs.writeFile(stored.path, bytes(200_000, 7))
        assert.isTrue((yield* ask(stored.asked)).body.equals(bytes(200_000, 7)))
      }).pipe(Effect.scoped)
    )
  }

  const documents: Record<
    string,
    (files: Files, digests: { readonly index: string; readonly manifest: string }) => string
  > = {
    index: (files, { index }) => files.pathOf(index),
    manifest: (files, { manifest }) => files.pathOf(manifest)
  }
  for (const [what, pathOf] of Object.entries(documents)) {
    it.effect(`has something else in place of the ${what}: it is not believed, and not remembered`, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { ask, before, files, layer: stored } = yield* served
        const path = pathOf(files, { index: before.index.digest, manifest: before.manifest.digest })
        const right = yield* fs.readFile(path)
        for (const wrong of [new Uint8Array(), bytes(300, 3), new Uint8Array(5 * 1024 * 1024), right.subarray(1)]) {
          yield* fs.writeFile(path, wrong)
          const answer = yield* ask(stored.asked)
          assert.strictEqual(answer.status, 503)
          assert.include(messageOf(answer), "something else")
        }
        yield* fs.writeFile(path, right)
        assert.strictEqual((yield* ask(stored.asked)).status, 200)
      }).pipe(Effect.scoped)
    )
  }

  it.effect(
    "has lost one of two images of a repository: what the other has is found, and of the rest nobody says no",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { after, before, files } = yield* made
        const items = [before, after].map(({ index }, at) =>
          nixImage({
            name: `x-${at}`,
            data: { name: "x", tag: `v${at}` },
            status: { status: "Built", holds: `x:v${at}`, systems: [built(index.digest)] }
          })
        )
        yield* fs.remove(files.pathOf(before.index.digest))
        const { ask } = yield* serve({ files, items })
        const asked = [after.layers[0]?.digest, before.layers[0]?.digest, `sha256:${"0".repeat(64)}`]
        const statuses = yield* Effect.forEach(asked, (digest) => statusOf(ask, `/v2/x/blobs/${digest}`))
        assert.deepStrictEqual(statuses, [200, 503, 503])
      }).pipe(Effect.scoped)
  )
})

layer(NodeServices.layer)("a registry that has just started", (it) => {
  it.effect("says that it knows nothing yet while the API server is away, and not that there is nothing", () =>
    Effect.gen(function* () {
      const { files } = yield* made
      const starting = yield* Effect.forkScoped(serve({ files, items: undefined }), { startImmediately: true })
      // It listens after some turns of Node's own.
      yield* Effect.repeat(TestClock.adjust("20 seconds"), {
        until: () => Effect.sync(() => starting.pollUnsafe() !== undefined)
      })
      const { ask } = yield* Fiber.join(starting)
      for (const path of ["/v2/x/manifests/v1", `/v2/x/blobs/sha256:${"0".repeat(64)}`, "/v2/x/tags/list"]) {
        const answer = yield* ask({ path })
        assert.strictEqual(answer.status, 503)
        assert.include(messageOf(answer), "just started")
      }
      assert.strictEqual(yield* statusOf(ask, "/v2/"), 200)
    }).pipe(Effect.scoped)
  )
})
