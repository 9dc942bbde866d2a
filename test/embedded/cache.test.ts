/** The watch cache over an API server in memory, whose watches say what they say when the test wants it. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Logger, Option, type Scope } from "effect"
import * as Cache from "../../lib/runtime/watch-cache.ts"
import { knownKinds } from "../../lib/kubernetes/kind.ts"
import { pods } from "../../lib/kubernetes/kinds.ts"
import { all } from "../../lib/kubernetes/question.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { makeApiServer } from "../memory/api-server.ts"
import { node, waitingPod } from "../memory/given.ts"
import { kindNames } from "../memory/replica.ts"
import { makeViews } from "../memory/views.ts"

const pod = waitingPod({ name: "a", nodeName: "one", image: "reg.io/a:1", packageName: "good" })
const at = { namespace: "apps", name: "a" }
const target = { kind: pods, ...at }
const woken = { metadata: { annotations: { "enbi.hrzn.ee/woken": "now" } } }
const forgotten = { metadata: { annotations: { "enbi.hrzn.ee/woken": "earlier" } } }

/** A cache that has read all that is `given`, and has been told of nothing since. */
const makeCache = Effect.fnUntraced(function* (...given: ReadonlyArray<typeof pod | ReturnType<typeof node>>) {
  const api = makeApiServer()
  for (const object of given) yield* api.objects.create(object)
  const views = makeViews(api.objects)
  const context = yield* Layer.build(
    Layer.fresh(Cache.layer(knownKinds())).pipe(Layer.provide(Layer.succeed(KubernetesApi, api.connect(views.follow))))
  )
  const told: Array<string> = []
  const cache = Context.get(context, Cache.WatchCache)
  yield* cache
    .follow((event) => Effect.sync(() => void told.push(`${event.type.split(".").at(-1)} ${event.kind} ${event.name}`)))
    .pipe(Effect.forkScoped)
  yield* views.relist(kindNames)
  told.length = 0
  const cluster = Context.get(context, Cluster)
  const wokenOf = Effect.map(
    cluster.get(pods, at),
    Option.map(({ metadata }) => metadata.annotations?.["enbi.hrzn.ee/woken"] ?? "never")
  )
  const catchUp = views.catchUp(kindNames)
  return { api, cache, catchUp, cluster, told, views, wokenOf }
})

const test = <E>(self: Effect.Effect<void, E, Scope.Scope>) =>
  self.pipe(Effect.scoped, Effect.provide(Logger.layer([])))

describe("what we write is there at once, and told at once, whatever the watch says", () => {
  it.effect("what we create", () =>
    test(
      Effect.gen(function* () {
        const { catchUp, cluster, told, wokenOf } = yield* makeCache()
        yield* cluster.create(pods, pod)
        assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
        assert.deepStrictEqual(told, ["add Pod a"])
        // What the watch brings then is known, and not told again.
        yield* catchUp
        assert.deepStrictEqual(told, ["add Pod a"])
      })
    )
  )
  it.effect("what we change, although an older change comes later by the watch", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, cluster, told, views, wokenOf } = yield* makeCache(pod)
        yield* api.objects.patch({ ...target, kind: "Pod" }, forgotten)
        yield* cluster.patch(target, woken)
        assert.deepStrictEqual(yield* wokenOf, Option.some("now"))
        yield* views.catchUp(kindNames, 1)
        assert.deepStrictEqual(told, ["update Pod a"])
        assert.deepStrictEqual(yield* wokenOf, Option.some("now"))
        yield* catchUp
        assert.deepStrictEqual(yield* wokenOf, Option.some("now"))
      })
    )
  )
  it.effect("what we delete", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, cluster, told, wokenOf } = yield* makeCache(pod)
        const uid = api.objects.objects.get("Pod/apps/a")?.metadata.uid ?? ""
        yield* cluster.remove({ ...target, uid })
        assert.deepStrictEqual(yield* wokenOf, Option.none())
        yield* catchUp
        assert.deepStrictEqual(told, ["delete Pod a"])
      })
    )
  )
  it.effect("but not what is gone: an answer may come after the watch has told of the end", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, cluster, wokenOf } = yield* makeCache(pod)
        // Between the write and its answer.
        api.fate.after = () => Effect.andThen(Effect.orDie(api.objects.remove({ ...at, kind: "Pod" })), catchUp)
        yield* cluster.patch(target, woken)
        assert.deepStrictEqual(yield* wokenOf, Option.none())
        api.fate.after = () => Effect.void
        yield* cluster.create(pods, pod)
        assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
      })
    )
  )
  it.effect("and what we change and is gone, though the watch has not told of it", () =>
    test(
      Effect.gen(function* () {
        const { api, cluster, wokenOf } = yield* makeCache(pod)
        yield* Effect.orDie(api.objects.remove({ ...at, kind: "Pod" }))
        const error = yield* Effect.flip(cluster.patch(target, woken))
        assert.isTrue(error.isMissing)
        assert.deepStrictEqual(yield* wokenOf, Option.none())
      })
    )
  )
  it.effect("what we create while a list is on its way", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, cluster, told, views, wokenOf } = yield* makeCache()
        const resourceVersion = api.objects.newest()
        yield* cluster.create(pods, pod)
        yield* views.tell("Pod", { _tag: "Listed", items: [], resourceVersion })
        assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
        yield* catchUp
        assert.deepStrictEqual(told, ["add Pod a"])
      })
    )
  )
})

describe("what others do", () => {
  it.effect("is seen when the watch tells, and told once it is seen", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, told, wokenOf } = yield* makeCache(pod)
        yield* api.objects.patch({ ...target, kind: "Pod" }, woken)
        assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
        yield* catchUp
        assert.deepStrictEqual(yield* wokenOf, Option.some("now"))
        assert.deepStrictEqual(told, ["update Pod a"])
      })
    )
  )
  it.effect("while the watch had lost its place is seen in the next list, deletions too", () =>
    test(
      Effect.gen(function* () {
        const other = { ...pod, metadata: { ...pod.metadata, name: "b" } }
        const { api, told, views, wokenOf } = yield* makeCache(pod, other)
        yield* api.objects.patch({ ...target, kind: "Pod" }, woken)
        yield* api.objects.remove({ ...target, kind: "Pod", name: "b" })
        yield* api.objects.create({ ...pod, metadata: { ...pod.metadata, name: "c" } })
        yield* views.relist(["Pod"])
        assert.deepStrictEqual(yield* wokenOf, Option.some("now"))
        assert.deepStrictEqual(told.toSorted(), ["add Pod a", "add Pod c", "delete Pod b"])
        // What is the same as before is no news.
        yield* views.relist(["Pod"])
        assert.lengthOf(told, 3)
      })
    )
  )
  it.effect("an object that was made again under its name is another: the end of the old one does not touch it", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, cluster, told, views, wokenOf } = yield* makeCache(pod)
        yield* api.objects.patch({ ...target, kind: "Pod" }, woken)
        yield* api.objects.remove({ ...target, kind: "Pod" })
        const made = yield* cluster.create(pods, pod)
        assert.deepStrictEqual(told, ["add Pod a"])
        for (const _ of ["change", "deletion"]) {
          assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
          yield* views.catchUp(kindNames, 1)
        }
        // The change is older than what is known under the name.
        assert.deepStrictEqual(told, ["add Pod a", "delete Pod a"])
        assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
        yield* catchUp
        assert.deepStrictEqual(yield* wokenOf, Option.some("never"))
        assert.deepStrictEqual(told, ["add Pod a", "delete Pod a"])
        const seen = yield* cluster.get(pods, at)
        assert.deepStrictEqual(
          Option.map(seen, ({ metadata }) => metadata.uid),
          Option.some(made.metadata["uid"])
        )
      })
    )
  )
})

describe("an object that can't be read", () => {
  const broken = { ...pod, spec: {}, metadata: { ...pod.metadata, name: "broken" } }
  it.effect("is left alone, and the others are seen", () =>
    test(
      Effect.gen(function* () {
        const { api, catchUp, cluster, views } = yield* makeCache(pod)
        yield* api.objects.create(broken)
        yield* api.objects.create({ ...pod, metadata: { ...pod.metadata, name: "c" } })
        yield* catchUp
        const names = Effect.map(cluster.list(all(pods)), (found) =>
          found.map(({ metadata }) => metadata.name).toSorted()
        )
        assert.deepStrictEqual(yield* names, ["a", "c"])
        yield* views.relist(["Pod"])
        assert.deepStrictEqual(yield* names, ["a", "c"])
      })
    )
  )
})

it.effect("is complete when every kind is listed, and a watch waits for no other", () =>
  test(
    Effect.gen(function* () {
      const api = makeApiServer()
      yield* api.objects.create(node("one"))
      const views = makeViews(api.objects)
      const context = yield* Layer.build(
        Layer.fresh(Cache.layer(knownKinds())).pipe(
          Layer.provide(Layer.succeed(KubernetesApi, api.connect(views.follow)))
        )
      )
      const cache = Context.get(context, Cache.WatchCache)
      const told: Array<string> = []
      yield* cache.follow(({ kind = "" }) => Effect.sync(() => void told.push(kind))).pipe(Effect.forkScoped)
      yield* views.relist(kindNames.filter((kind) => kind !== "Node" && kind !== "Pod"))
      assert.isFalse(yield* cache.isComplete)
      const completed = yield* Effect.forkScoped(cache.complete)
      yield* views.relist(["Node"])
      assert.deepStrictEqual(told, ["Node"])
      yield* api.objects.create(node("two"))
      yield* views.catchUp(["Node"])
      assert.deepStrictEqual(told, ["Node", "Node"])
      assert.isUndefined(completed.pollUnsafe())
      yield* views.relist(["Pod"])
      assert.isTrue(yield* cache.isComplete)
      yield* Fiber.join(completed)
    })
  )
)
