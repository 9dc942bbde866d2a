/**
 * The cluster with a watch cache before it: reads cost nothing, and no request
 * is made while nothing happens. Our own writes are in the cache at once and
 * published at once, so the next function need not wait for the watch.
 */
import { Context, Deferred, Effect, Layer, Option, Result, Schema, Stream } from "effect"
import { type Identified, type Kind, ObjectMeta } from "../kubernetes/kind.ts"
import { all } from "../kubernetes/question.ts"
import { Cluster, getFrom, listFrom, reading, writesOf } from "../kubernetes/cluster.ts"
import type { CloudEvent } from "./events.ts"
import { KubernetesApi } from "../kubernetes/connection.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import type { Change } from "../kubernetes/watch.ts"
import { preciseTime } from "../kubernetes/time.ts"
import { mapInTurns } from "../turns.ts"
import { followKind } from "./follow.ts"
import { type Found, keyOf, makeStore } from "./store.ts"

export class WatchCache extends Context.Service<
  WatchCache,
  {
    /**
     * Follows every kind for ever. `onEvent` gets each change once the cache has it, and at the start each existing
     * object. The watch waits until it returns.
     */
    readonly follow: <R>(
      onEvent: (event: CloudEvent) => Effect.Effect<void, never, R>
    ) => Effect.Effect<void, KubernetesError, R>
    /** Whether the cache has seen all that was there at the start. */
    readonly isComplete: Effect.Effect<boolean>
    /** Waits until it has: an object that the cache has not read yet must not be taken for one that is not there. */
    readonly complete: Effect.Effect<void>
  }
>()("enbi/lib/runtime/WatchCache") {}

/** An object as the watch brought it: what of it can't be read, such as what a newer version wrote, has an error instead. */
interface Seen {
  readonly metadata: ObjectMeta
  readonly value: Result.Result<Identified, KubernetesError>
}

const readMetadata = Schema.decodeUnknownSync(Schema.Struct({ metadata: ObjectMeta }))

const seeing = (kind: Kind) => {
  const read = reading(kind)
  return (object: unknown): Seen => {
    const value = read(object)
    return { value, metadata: (Result.isSuccess(value) ? value.success : readMetadata(object)).metadata }
  }
}

/** One object that can't be read must not keep us from the others. */
const leaveAlone = (kind: Kind, error: KubernetesError) =>
  Effect.logWarning(`a ${kind.kind} cannot be read and is skipped`, error)

const isOlder = (a: Pick<ObjectMeta, "resourceVersion">, b: Pick<ObjectMeta, "resourceVersion">): boolean =>
  BigInt(a.resourceVersion) < BigInt(b.resourceVersion)

const isFor = <A extends Identified>(store: Found<Identified>, kind: Kind<A>): store is Found<A> =>
  store.kind === kind.kind

/** `Cluster` and `WatchCache` over one and the same store of these kinds. */
export const layer = (kinds: ReadonlyArray<Kind>) => Layer.effectContext(makeCache(kinds))

const makeCache = (kinds: ReadonlyArray<Kind>) =>
  Effect.gen(function* () {
    const api = yield* KubernetesApi
    const stores = new Map(kinds.map((kind) => [kind.kind, makeStore(kind)]))
    const storeOf = (kind: Kind) => stores.get(kind.kind) ?? makeStore(kind)
    const listed = new Set<string>()
    const ended = makeEnded()

    /** Whether that is news: the cache had neither this version nor a newer one. */
    const put = Effect.fnUntraced(function* (kind: Kind, { metadata, value }: Seen) {
      const store = storeOf(kind)
      const before = store.get(keyOf(metadata))?.metadata
      if (ended.isOver(metadata) || (before !== undefined && isOlder(metadata, before))) return false
      if (Result.isFailure(value)) {
        yield* leaveAlone(kind, value.failure)
        return false
      }
      store.put(value.success)
      return before?.resourceVersion !== metadata.resourceVersion
    })

    const replaceAll = Effect.fnUntraced(function* (kind: Kind, list: Extract<Change<Seen>, { _tag: "Listed" }>) {
      const { items } = list
      const store = storeOf(kind)
      const time = yield* preciseTime
      const before = store.list(all(kind))
      const changed = yield* Effect.filter(items, (seen) => put(kind, seen))
      const keys = new Set(yield* mapInTurns(items, ({ metadata }) => keyOf(metadata)))
      const gone = before
        .flatMap(({ metadata }) => store.get(keyOf(metadata)) ?? [])
        // What we wrote while the list was on its way is not in it.
        .filter(({ metadata }) => !keys.has(keyOf(metadata)) && !isOlder(list, metadata))
      for (const { metadata } of gone) {
        ended.add({ ...metadata, resourceVersion: list.resourceVersion })
        store.forget(keyOf(metadata))
      }
      listed.add(kind.kind)
      return [
        ...(yield* mapInTurns(changed, ({ metadata }) => eventOf(kind, { metadata, verb: "add", time }))),
        ...gone.map(({ metadata }) => eventOf(kind, { metadata, verb: "delete", time }))
      ]
    })

    const apply = Effect.fnUntraced(function* (kind: Kind, change: Change<Seen>) {
      if (change._tag === "Listed") return yield* replaceAll(kind, change)
      const { metadata } = change.object
      const time = yield* preciseTime
      if (change._tag === "DELETED") {
        const store = storeOf(kind)
        ended.add(metadata)
        if (store.get(keyOf(metadata))?.metadata.uid === metadata.uid) store.forget(keyOf(metadata))
        return [eventOf(kind, { metadata, verb: "delete", time })]
      }
      const isNews = yield* put(kind, change.object)
      const isReadable = Result.isSuccess(change.object.value)
      // Our own writes were published when they were made.
      return isNews || !isReadable
        ? [eventOf(kind, { metadata, verb: change._tag === "ADDED" ? "add" : "update", time })]
        : []
    })

    const complete = yield* Deferred.make<void>()
    const isComplete = Effect.sync(() => kinds.every(({ kind }) => listed.has(kind)))

    /** Publishes our own writes, once there is a follower. */
    let tellWrite: (event: CloudEvent) => Effect.Effect<void> = () => Effect.void

    const follow = Effect.fnUntraced(function* <R>(onEvent: (event: CloudEvent) => Effect.Effect<void, never, R>) {
      const services = yield* Effect.context<R>()
      tellWrite = (event) => Effect.provideContext(onEvent(event), services)
      return yield* Effect.forEach(
        kinds,
        (kind) =>
          followKind(api, kind, seeing(kind)).pipe(
            Stream.mapEffect((change) => apply(kind, change)),
            Stream.tap(() =>
              Effect.flatMap(isComplete, (is) => (is ? Deferred.succeed(complete, undefined) : Effect.void))
            ),
            Stream.flattenIterable,
            Stream.runForEach(onEvent)
          ),
        { concurrency: "unbounded", discard: true }
      )
    })

    /** What was read by the schema of the kind. */
    const read = <A extends Identified, B>(kind: Kind<A>, look: (store: Found<A> | undefined) => B): Effect.Effect<B> =>
      Effect.sync(() => {
        const store: Found<Identified> = storeOf(kind)
        return look(isFor(store, kind) ? store : undefined)
      })

    const writes = writesOf(api)
    const keep = (kind: Kind, verb: Verb) =>
      Effect.fnUntraced(function* (stored: unknown) {
        const seen = seeing(kind)(stored)
        if (!(yield* put(kind, seen))) return
        yield* tellWrite(eventOf(kind, { metadata: seen.metadata, verb, time: yield* preciseTime }))
      })
    const cluster = Cluster.of({
      get: (kind, at) => read(kind, (store) => Option.fromUndefinedOr(store?.get(keyOf(at)))),
      getFresh: getFrom(api),
      list: (question) => read(question.kind, (store) => store?.list(question) ?? []),
      listFresh: listFrom(api),
      dryRunCreate: writes.dryRunCreate,
      create: (kind, object) => writes.create(kind, object).pipe(Effect.tap(keep(kind, "add"))),
      patch: (target, patch) =>
        writes.patch(target, patch).pipe(
          Effect.tap(keep(target.kind, "update")),
          // Otherwise the caller would meet it again with every read.
          Effect.tapError((error) =>
            Effect.sync(() => (error.isMissing ? storeOf(target.kind).forget(keyOf(target)) : undefined))
          )
        ),
      remove: (target) =>
        writes.remove(target).pipe(Effect.tap(() => Effect.sync(() => storeOf(target.kind).forget(keyOf(target)))))
    })
    return Context.make(Cluster, cluster).pipe(
      Context.add(WatchCache, { follow, isComplete, complete: Deferred.await(complete) })
    )
  })

type Version = Pick<ObjectMeta, "resourceVersion" | "uid">

/**
 * Which objects are gone, by uid: the answer to a write of ours may come after the watch has told of the end. One that
 * only had no label that we look for may come back.
 */
const makeEnded = () => {
  const ends = new Map<string, Version>()
  return {
    isOver: (object: Version) => {
      const end = ends.get(object.uid)
      return end !== undefined && !isOlder(end, object)
    },
    add: (object: Version) => {
      ends.set(object.uid, object)
      // No answer takes that long.
      const [oldest] = ends.keys()
      if (oldest !== undefined && ends.size > maxEnded) ends.delete(oldest)
    }
  }
}

const maxEnded = 1000

type Verb = "add" | "update" | "delete"

/** The event that Knative's ApiServerSource would send. */
const eventOf = (
  kind: Kind,
  { metadata, time, verb }: { readonly metadata: ObjectMeta; readonly verb: Verb; readonly time: string }
): CloudEvent => ({
  specversion: "1.0",
  id: `${metadata.uid}.${metadata.resourceVersion}.${verb}`,
  source: "enbi-functions",
  type: `dev.knative.apiserver.resource.${verb}`,
  time,
  kind: kind.kind,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  name: metadata.name
})
