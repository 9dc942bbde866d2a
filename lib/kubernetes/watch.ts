/**
 * A watch that stays: it resumes where it was, lists again after 410, notices a
 * peer that went silent, and outlives a restart of the API server.
 */
import { Duration, Effect, Option, Random, Ref, Schedule, Schema, Stream } from "effect"
import { Ndjson } from "effect/encoding"
import { HttpClientRequest } from "effect/http"
import { KubernetesError } from "./error.ts"
import { fromClient, malformed, type Query, type Read, type Requests } from "./requests.ts"

/** What a watch tells: first everything that is there, then each change. */
export type Change<A> =
  | { readonly _tag: "Listed"; readonly items: ReadonlyArray<A>; readonly resourceVersion: string }
  | { readonly _tag: "ADDED" | "MODIFIED" | "DELETED"; readonly object: A }

/** The change with what `read` makes of its objects. */
export const readChange =
  <A>(read: Read<A>) =>
  (change: Change<unknown>): Change<A> =>
    change._tag === "Listed"
      ? { ...change, items: change.items.map(read) }
      : { _tag: change._tag, object: read(change.object) }

/** Follows all objects at a path for as long as the stream is read. */
export const makeFollow = ({ list, open }: Pick<Requests, "list" | "open">) => {
  const changesSince = Effect.fnUntraced(function* <A>(
    at: {
      readonly path: string
      readonly query: Query
      readonly resetDenials: Effect.Effect<void>
      readonly read: Read<A>
    },
    seen: Ref.Ref<Option.Option<string>>,
    resourceVersion: string
  ) {
    const timeoutSeconds = yield* Random.nextIntBetween(240, 480)
    const response = yield* open(
      "WATCH",
      HttpClientRequest.get(at.path).pipe(
        HttpClientRequest.setUrlParams({
          ...at.query,
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion,
          timeoutSeconds
        })
      )
    )
    yield* at.resetDenials
    return response.stream.pipe(
      Stream.mapError(fromClient),
      // Bookmarks come each minute, so this long a silence is a dead peer.
      Stream.timeoutOrElse({
        duration: "150 seconds",
        orElse: () => Stream.fail(new KubernetesError({ status: 0, reason: "Idle", message: "watch went silent" }))
      }),
      Stream.decodeText,
      Stream.pipeThroughChannel(Ndjson.decodeString({ ignoreEmptyLines: true })),
      Stream.mapError((error) =>
        error instanceof KubernetesError
          ? error
          : new KubernetesError({
              status: 0,
              reason: "Malformed",
              message: "watch broke off inside a line",
              cause: error
            })
      ),
      Stream.mapEffect((line) => readWatchEvent(line, seen)),
      Stream.flattenIterable,
      Stream.map(readChange(at.read))
    )
  }, Stream.unwrap)

  return <A>(path: string, query: Query, read: Read<A>): Stream.Stream<Change<A>, KubernetesError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const { backoff, resetDenials } = yield* makePatience
        const at = { path, query, resetDenials, read }
        const seen = yield* Ref.make(Option.none<string>())
        const fromScratch = Stream.unwrap(
          Effect.gen(function* () {
            const { items, resourceVersion } = yield* Effect.tap(list(path, query, read), resetDenials)
            yield* Ref.set(seen, Option.some(resourceVersion))
            const listed: Change<A> = { _tag: "Listed", items, resourceVersion }
            return Stream.concat(Stream.succeed(listed), changesSince(at, seen, resourceVersion))
          })
        )
        const resume = Effect.map(
          Ref.get(seen),
          Option.match({
            onNone: () => fromScratch,
            onSome: (resourceVersion) => changesSince(at, seen, resourceVersion)
          })
        )
        return Stream.unwrap(resume).pipe(
          // 410: what was missed is no longer kept there, so everything is listed again.
          Stream.catchIf(
            (error) => error.status === 410,
            () => Stream.fromEffectDrain(Ref.set(seen, Option.none()))
          ),
          Stream.repeat(Schedule.spaced("250 millis")),
          Stream.retry(backoff)
        )
      })
    )
}

const WatchEvent = Schema.Struct({
  type: Schema.Literals(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: Schema.StructWithRest(
    Schema.Struct({
      code: Schema.optionalKey(Schema.Int),
      reason: Schema.optionalKey(Schema.Unknown),
      message: Schema.optionalKey(Schema.Unknown),
      metadata: Schema.optionalKey(
        Schema.StructWithRest(Schema.Struct({ resourceVersion: Schema.optionalKey(Schema.String) }), [
          Schema.Record(Schema.String, Schema.Unknown)
        ])
      )
    }),
    [Schema.Record(Schema.String, Schema.Unknown)]
  )
})

// How long an API server that has just started may know neither tokens nor roles.
const startMillis = 120_000

/** When to try again. A 401 or 403 after a success may come from a restarting API server: `resetDenials` tells of one. */
const makePatience = Effect.gen(function* () {
  const nobody = { wasAllowed: false, deniedSince: Infinity }
  const seen = yield* Ref.make(nobody)
  const isWorthIt = ({ input, now }: { readonly input: KubernetesError; readonly now: number }) =>
    Ref.modify(seen, ({ deniedSince: before, wasAllowed }) => {
      const deniedSince = input.isDenial ? Math.min(before, now) : Infinity
      const isStarting = wasAllowed && now - deniedSince < startMillis
      return [input.isDenial ? isStarting : input.isRetryable, { wasAllowed, deniedSince }]
    })
  const backoff = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("30 seconds")]).pipe(
    Schedule.jittered,
    Schedule.setInputType<KubernetesError>(),
    Schedule.while(isWorthIt),
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.succeed(Duration.max(duration, Duration.seconds(input.retryAfterSeconds ?? 0)))
    )
  )
  return { backoff, resetDenials: Ref.set(seen, { ...nobody, wasAllowed: true }) }
})

const readWatchEvent = Effect.fnUntraced(function* (line: unknown, seen: Ref.Ref<Option.Option<string>>) {
  const { object, type } = yield* Schema.decodeUnknownEffect(WatchEvent)(line).pipe(
    Effect.mapError(malformed("a watch event that cannot be read"))
  )
  if (type === "ERROR") {
    return yield* new KubernetesError({
      status: object.code ?? 500,
      reason: String(object.reason ?? "Unknown"),
      message: String(object.message ?? "")
    })
  }
  yield* Ref.set(seen, Option.fromNullishOr(object.metadata?.resourceVersion))
  const changes: ReadonlyArray<Change<unknown>> = type === "BOOKMARK" ? [] : [{ _tag: type, object }]
  return changes
})
