/** The watch against a server that does what API servers do on bad days. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Ref, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { KubernetesApi, layerAt } from "../../lib/kubernetes/connection.ts"

const pod = (name: string, resourceVersion: string) => ({ metadata: { name, uid: name, resourceVersion } })
const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`

/** What the server answers to the first, second … watch; after the last it stays silent. */
type Answer = { readonly status: number; readonly body: string }

const serve = (lists: ReadonlyArray<ReadonlyArray<object>>, watches: ReadonlyArray<Answer>) => {
  const asked: Array<string> = []
  const route = HttpRouter.add(
    "GET",
    "/api/v1/pods",
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const query = new URL(url, "http://x").searchParams
      if (query.get("watch") === null) {
        const listed = asked.filter((what) => what === "list").length
        asked.push("list")
        const items = lists[Math.min(listed, lists.length - 1)]
        if (items === undefined) return HttpServerResponse.text(denied.body, { status: denied.status })
        return HttpServerResponse.jsonUnsafe({ items, metadata: { resourceVersion: String((listed + 1) * 100) } })
      }
      const answer = watches[asked.filter((what) => what.startsWith("watch")).length]
      asked.push(`watch ${query.get("resourceVersion")}`)
      return answer === undefined
        ? HttpServerResponse.stream(Stream.never)
        : HttpServerResponse.text(answer.body, { status: answer.status })
    })
  )
  const server = HttpRouter.serve(route, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layerTest)
  )
  return { asked, layer: layerAt({ url: "", token: Effect.succeed(Option.none()) }).pipe(Layer.provideMerge(server)) }
}

const denied = { status: 403, body: JSON.stringify({ reason: "Forbidden", message: "no" }) }

const bookmark = { status: 200, body: line("BOOKMARK", pod("", "100")) }

const gone = line("ERROR", { code: 410, reason: "Expired", message: "too old resource version" })

/** The names that the watch tells of, until there are `count`. */
const follow = Effect.fnUntraced(function* (count: number) {
  const api = yield* KubernetesApi
  const told = yield* Ref.make<ReadonlyArray<string>>([])
  const fiber = yield* api
    .follow("/api/v1/pods", {}, (object) => object)
    .pipe(
      Stream.take(count),
      Stream.runForEach((change) =>
        Ref.update(told, (lines) => [
          ...lines,
          change._tag === "Listed" ? `listed ${change.items.length}` : `${change._tag} ${JSON.stringify(change.object)}`
        ])
      ),
      Effect.forkChild({ startImmediately: true })
    )
  // Back-offs and pauses pass on the test's clock while the answers come by real sockets.
  yield* TestClock.adjust("1 second").pipe(
    Effect.andThen(TestClock.withLive(Effect.sleep("5 millis"))),
    Effect.repeat({ until: () => fiber.pollUnsafe() !== undefined, times: 400 })
  )
  yield* Fiber.join(fiber)
  return (yield* Ref.get(told)).map((text) => text.replace(/ \{.*"name":"([^"]*)".*/, " $1"))
})

describe("watch", () => {
  it.effect("lists, tells of changes, and resumes after a clean end where it was", () => {
    const { asked, layer } = serve(
      [[pod("a", "1")]],
      [
        { status: 200, body: line("ADDED", pod("b", "101")) + line("BOOKMARK", pod("", "150")) },
        { status: 200, body: line("DELETED", pod("b", "160")) }
      ]
    )
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* follow(3), ["listed 1", "ADDED b", "DELETED b"])
      assert.deepStrictEqual(asked.slice(0, 3), ["list", "watch 100", "watch 150"])
    }).pipe(Effect.provide(layer))
  })

  for (const [where, answer] of [
    ["inside the watch", { status: 200, body: gone }],
    ["instead of the watch", { status: 410, body: JSON.stringify({ reason: "Expired", message: "gone" }) }]
  ] as const) {
    it.effect(`lists again after 410 ${where}`, () => {
      const { asked, layer } = serve([[pod("a", "1")], [pod("a", "1"), pod("c", "2")]], [answer])
      return Effect.gen(function* () {
        assert.deepStrictEqual(yield* follow(2), ["listed 1", "listed 2"])
        assert.deepStrictEqual(asked.slice(0, 3), ["list", "watch 100", "list"])
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("tries again after 503 and after a line that broke off, without losing its place", () => {
    const { asked, layer } = serve(
      [[]],
      [
        { status: 503, body: "" },
        { status: 200, body: `${line("ADDED", pod("b", "101"))}{"type":"MODI` },
        { status: 200, body: line("MODIFIED", pod("b", "102")) }
      ]
    )
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* follow(3), ["listed 0", "ADDED b", "MODIFIED b"])
      assert.deepStrictEqual(asked, ["list", "watch 100", "watch 100", "watch 101"])
    }).pipe(Effect.provide(layer))
  })

  const times = (count: number, answer: Answer) => Array.from({ length: count }, () => answer)
  const away = { status: 503, body: "" }
  const added = { status: 200, body: line("ADDED", pod("b", "101")) }
  // Back-offs double up to half a minute: twelve of them are some two and a half minutes.
  for (const [what, before, lists] of [
    ["at first", [], 1],
    ["after minutes in which it was away", times(12, away), 1],
    ["minutes after a connection broke and only bookmarks came", [away, ...times(200, bookmark)], 1],
    ["when all is to be listed again", [{ status: 200, body: gone }], 2]
  ] as const) {
    it.effect(`outlives an API server that starts and does not know it yet, ${what}`, () => {
      const { asked, layer } = serve([[]], [...before, denied, denied, added])
      return Effect.gen(function* () {
        assert.include(yield* follow(lists + 1), "ADDED b")
        assert.lengthOf(asked, lists + before.length + 3)
      }).pipe(Effect.provide(layer))
    })
  }

  it.effect("gives up at once when it was never let in", () => {
    const { asked, layer } = serve([], [])
    return Effect.gen(function* () {
      const error = yield* Effect.flip(follow(1))
      assert.strictEqual(error.status, 403)
      assert.deepStrictEqual(asked, ["list"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("gives up on what no try can mend", () => {
    const { asked, layer } = serve(
      [[]],
      Array.from({ length: 50 }, () => denied)
    )
    return Effect.gen(function* () {
      const error = yield* Effect.flip(follow(5))
      assert.strictEqual(error.status, 403)
      assert.isBelow(asked.length, 20)
    }).pipe(Effect.provide(layer))
  })
})
