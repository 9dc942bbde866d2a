/**
 * The cluster with a watch cache before it: reads cost nothing, and no request
 * is made while nothing happens. What we write is in the cache at once, so the
 * next look sees it although the watch has not told of it yet.
 */
import { Context, Deferred, Effect, Layer, Option, Schema, Stream } from "effect"
import { type Kind, ObjectMeta, pathOf } from "../lib/api/kind.ts"
import { kinds } from "../lib/api/kinds.ts"
import { Cluster, decodeAs, getFrom, listFrom, queryOf, type Selection, writesOf } from "../lib/cluster.ts"
import type { CloudEvent } from "../lib/events.ts"
import { KubernetesApi } from "../lib/kube/api.ts"
import type { KubernetesError } from "../lib/kube/error.ts"
import type { Change } from "../lib/kube/watch.ts"
import { preciseTime } from "../lib/time.ts"

export class WatchCache extends Context.Service<
  WatchCache,
  {
    /** Follows every kind for ever; `onEvent` is told of each change once the cache has it, and all else that was there at the start. */
    readonly follow: <R>(
      onEvent: (event: CloudEvent) => Effect.Effect<void, never, R>
    ) => Effect.Effect<void, KubernetesError, R>
    /** Whether the cache has seen all that was there at the start. */
    readonly isComplete: Effect.Effect<boolean>
  }
>()("enbi/embedded/WatchCache") {}

interface Stored<A> {
  readonly kind: Kind<A>
  readonly meta: ObjectMeta
  readonly nodeName: string | undefined
  readonly value: A
}

const Head = Schema.Struct({
  metadata: ObjectMeta,
  spec: Schema.optionalKey(Schema.Struct({ nodeName: Schema.optionalKey(Schema.String) }))
})

type Head = typeof Head.Type
const readHead = decodeAs({ schema: Head })

const isOf = <A>(stored: Stored<unknown> | undefined, kind: Kind<A>): stored is Stored<A> =>
  stored?.kind.kind === kind.kind

/** One object that we can't read, such as one that a newer version wrote, must not keep us from the others. */
const unreadable = (kind: Kind<unknown>) => (error: KubernetesError) =>
  Effect.as(Effect.logWarning(`a ${kind.kind} can't be read and is left alone`, error), Option.none<ObjectMeta>())

const keyOf = ({ name, namespace = "" }: { readonly name: string; readonly namespace?: string | undefined }) =>
  `${namespace}/${name}`

const isOlder = (a: Pick<ObjectMeta, "resourceVersion">, b: Pick<ObjectMeta, "resourceVersion">): boolean =>
  BigInt(a.resourceVersion) < BigInt(b.resourceVersion)

/** `Cluster` and `WatchCache` over one and the same store. */
export const layer = Layer.effectContext(
  Effect.gen(function* () {
    const api = yield* KubernetesApi
    const stores = new Map(Object.keys(kinds).map((name) => [name, new Map<string, Stored<unknown>>()]))
    const storeOf = (kind: Kind<unknown>) => stores.get(kind.kind) ?? new Map<string, Stored<unknown>>()
    const listed = new Set<string>()
    const ended = makeEnded()

    /** Its metadata if that is news, none if the cache has this version or a newer one. */
    const put = Effect.fnUntraced(function* (kind: Kind<unknown>, object: unknown, { metadata, spec }: Head) {
      const store = storeOf(kind)
      const key = keyOf(metadata)
      const before = store.get(key)
      if (ended.isOver(metadata)) return Option.none<ObjectMeta>()
      if (before !== undefined && isOlder(metadata, before.meta)) return Option.none<ObjectMeta>()
      store.set(key, { kind, meta: metadata, nodeName: spec?.nodeName, value: yield* decodeAs(kind)(object) })
      return before?.meta.resourceVersion === metadata.resourceVersion ? Option.none() : Option.some(metadata)
    })

    const replaceAll = Effect.fnUntraced(function* (kind: Kind<unknown>, list: Extract<Change, { _tag: "Listed" }>) {
      const { items } = list
      const heads = yield* Effect.orDie(Effect.forEach(items, readHead))
      const changed = yield* Effect.forEach(heads, (head, index) =>
        Effect.catch(put(kind, items[index], head), unreadable(kind))
      )
      const keys = new Set(heads.map(({ metadata }) => keyOf(metadata)))
      // What we wrote while the list was on its way is not in it.
      const gone = [...storeOf(kind)].filter(([key, { meta }]) => !keys.has(key) && !isOlder(list, meta))
      for (const [key, { meta }] of gone) {
        ended.add({ ...meta, resourceVersion: list.resourceVersion })
        storeOf(kind).delete(key)
      }
      listed.add(kind.kind)
      const time = yield* preciseTime
      return [
        ...changed.flatMap((meta) =>
          Option.isSome(meta) ? [eventOf(kind, { meta: meta.value, verb: "add", time })] : []
        ),
        ...gone.map(([, { meta }]) => eventOf(kind, { meta, verb: "delete", time }))
      ]
    })

    const apply = Effect.fnUntraced(function* (kind: Kind<unknown>, change: Change) {
      if (change._tag === "Listed") return yield* replaceAll(kind, change)
      const head = yield* readHead(change.object)
      const meta = head.metadata
      const time = yield* preciseTime
      if (change._tag === "DELETED") {
        const store = storeOf(kind)
        ended.add(meta)
        if (store.get(keyOf(meta))?.meta.uid === meta.uid) store.delete(keyOf(meta))
        return [eventOf(kind, { meta, verb: "delete", time })]
      }
      yield* put(kind, change.object, head)
      return [eventOf(kind, { meta, verb: change._tag === "ADDED" ? "add" : "update", time })]
    })

    // An object that the cache has not read yet must not be taken for one that is not there.
    const complete = yield* Deferred.make<void>()
    const isComplete = Effect.sync(() => Object.keys(kinds).every((name) => listed.has(name)))

    const follow = <R>(onEvent: (event: CloudEvent) => Effect.Effect<void, never, R>) =>
      Effect.forEach(
        Object.values(kinds),
        (kind) =>
          api.follow(pathOf(kind), queryOf(kind)).pipe(
            Stream.mapEffect((change) =>
              apply(kind, change).pipe(
                Effect.catch((error) =>
                  Effect.as(Effect.logWarning("an object can't be read", { kind: kind.kind }, error), [])
                )
              )
            ),
            Stream.tap(() =>
              Effect.flatMap(isComplete, (is) => (is ? Deferred.succeed(complete, undefined) : Effect.void))
            ),
            Stream.flattenIterable,
            Stream.runForEach((event) => Effect.andThen(Deferred.await(complete), onEvent(event)))
          ),
        { concurrency: "unbounded", discard: true }
      )

    const list = <A>(kind: Kind<A>, selection: Selection = {}): Effect.Effect<ReadonlyArray<A>> =>
      Effect.sync(() =>
        [...storeOf(kind).values()].flatMap((stored) =>
          isOf(stored, kind) && isSelected(stored, selection) ? [stored.value] : []
        )
      )

    const writes = writesOf(api)
    const keep = (kind: Kind<unknown>) => (stored: unknown) =>
      Effect.flatMap(readHead(stored), (head) => put(kind, stored, head))
    const cluster = Cluster.of({
      get: (kind, at) =>
        Effect.sync(() => {
          const stored = storeOf(kind).get(keyOf(at))
          return isOf(stored, kind) ? Option.some(stored.value) : Option.none()
        }),
      getFresh: getFrom(api),
      list,
      listFresh: listFrom(api),
      dryRunCreate: writes.dryRunCreate,
      create: (kind, object) => writes.create(kind, object).pipe(Effect.tap(keep(kind))),
      patch: (target, patch) =>
        writes.patch(target, patch).pipe(
          Effect.tap(keep(target.kind)),
          // Or whoever has more to do than this would meet it again with every look.
          Effect.tapError((error) =>
            Effect.sync(() => (error.isMissing ? storeOf(target.kind).delete(keyOf(target)) : undefined))
          )
        ),
      remove: (target) =>
        writes.remove(target).pipe(Effect.tap(() => Effect.sync(() => storeOf(target.kind).delete(keyOf(target)))))
    })
    return Context.make(Cluster, cluster).pipe(Context.add(WatchCache, { follow, isComplete }))
  })
)

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

const isSelected = ({ meta, nodeName }: Stored<unknown>, selection: Selection): boolean =>
  (selection.namespace === undefined || meta.namespace === selection.namespace) &&
  (selection.nodeName === undefined || nodeName === selection.nodeName) &&
  Object.entries(selection.labels ?? {}).every(([key, value]) => meta.labels?.[key] === value)

/** The event that Knative's ApiServerSource would send. */
const eventOf = (
  kind: Kind<unknown>,
  { meta, time, verb }: { readonly meta: ObjectMeta; readonly verb: "add" | "update" | "delete"; readonly time: string }
): CloudEvent => ({
  specversion: "1.0",
  id: `${meta.uid}.${meta.resourceVersion}.${verb}`,
  source: "enbi-functions",
  type: `dev.knative.apiserver.resource.${verb}`,
  time,
  kind: kind.kind,
  ...(meta.namespace === undefined ? {} : { namespace: meta.namespace }),
  name: meta.name
})
