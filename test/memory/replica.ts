/**
 * One process of the functions, as `embedded/` runs it: the real cache over
 * watches that can lag, and a mailbox of the events that the cache tells of,
 * from which the test delivers. It has a clock of its own, and it can crash.
 */
import { Cause, Clock, Context, Duration, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Cache from "../../lib/runtime/watch-cache.ts"
import { knownKinds } from "../../lib/kubernetes/kind.ts"
import "../../lib/kubernetes/network-policy.ts"
import "../../lib/api/nixbuild.ts"
import "../../lib/api/niximage.ts"
import { Cluster } from "../../lib/kubernetes/cluster.ts"
import { type CloudEvent, matches, sweepType } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { reconcile } from "../../lib/runtime/reconcile.ts"
import { type Sight, Sights } from "../../lib/runtime/since.ts"
import { Settings, type SettingsValue } from "../../lib/api/settings.ts"
import type { ApiServer } from "./api-server.ts"
import { Crash } from "./faults.ts"
import type { Oracle } from "./oracle.ts"
import { makeViews } from "./views.ts"

const namesOfKinds = (): ReadonlyArray<string> => knownKinds().map(({ kind }) => kind)

/** Those of every function. */
export const kindNames = namesOfKinds()

export const sweepEvent: CloudEvent = { specversion: "1.0", id: "sweep", source: "test", type: sweepType }

export interface ReplicaOptions {
  readonly api: ApiServer
  readonly oracle: Oracle
  readonly functions: ReadonlyArray<EnbiFunction<unknown>>
  readonly settings: SettingsValue
}

interface Process {
  readonly services: Context.Context<Cluster | Settings>
  readonly sights: Map<string, Sight>
  readonly views: ReturnType<typeof makeViews>
  readonly scope: Scope.Closeable
}

export const makeReplica = ({ api, functions, oracle, settings }: ReplicaOptions) => {
  let process: Process | undefined
  const mailbox: Array<CloudEvent> = []
  /** What the mailbox ever held: one event of each type for each object, since all of them say the same. */
  const history = new Map<string, CloudEvent>()
  /** What is wrong with this process's clock, and which kinds' watches go on only when told to. */
  const condition = { skewMillis: 0, lagging: new Set<string>() }

  const start = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const views = makeViews(api.objects)
    // Fresh: or every process would be given one and the same cache.
    const services = yield* Layer.fresh(Cache.layer(knownKinds())).pipe(
      Layer.provide(Layer.succeed(KubernetesApi, api.connect(views.follow))),
      Layer.buildWithScope(scope)
    )
    const onEvent = (event: CloudEvent) =>
      Effect.sync(() => {
        mailbox.push(event)
        const { kind, name, namespace, type } = event
        history.set(`${type} ${kind}/${namespace}/${name}`, event)
      })
    yield* Context.get(services, Cache.WatchCache).follow(onEvent).pipe(Effect.orDie, Effect.forkIn(scope))
    process = { services: Context.add(services, Settings, settings), sights: new Map(), views, scope }
    yield* views.relist(namesOfKinds())
  })

  const stop = Effect.gen(function* () {
    mailbox.length = 0
    if (process !== undefined) yield* Scope.close(process.scope, Exit.void)
    process = undefined
  })

  const look = Effect.fnUntraced(function* (at: Process, definition: EnbiFunction<unknown>, event: CloudEvent) {
    const clock = skewed(yield* Clock.Clock, { skewMillis: () => condition.skewMillis, meanwhile: follow })
    const inProcess = <A, E>(self: Effect.Effect<A, E, Cluster | Settings>) =>
      self.pipe(
        Effect.provideContext(at.services),
        Effect.provideService(Sights, at.sights),
        Effect.provideService(Clock.Clock, clock)
      )
    const subjects = yield* definition.mapEvent(event).pipe(inProcess, Effect.orDie)
    for (const subject of subjects) {
      const { length } = api.refusals
      const exit = yield* Effect.exit(inProcess(reconcile(definition, event, subject)))
      if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) return yield* Effect.die(Cause.squash(exit.cause))
      oracle.ran({ definition, subject, exit, refused: api.refusals.slice(length), attempts: api.attempts })
      yield* api.fate.between
    }
  })

  const restart = Effect.andThen(stop, start)

  /** A look that failed ends there; a later one does the rest. */
  const deliver = Effect.fnUntraced(
    function* (event: CloudEvent) {
      for (const definition of functions.filter(({ on }) => on.some((filter) => matches(filter, event)))) {
        if (process === undefined) return
        yield* follow
        yield* look(process, definition, event)
      }
    },
    (self) => Effect.catchDefect(self, (defect) => (defect instanceof Crash ? restart : Effect.die(defect)))
  )

  /** All that the mailbox holds, and what comes of it, as long as there is something. */
  const deliverAll = Effect.gen(function* () {
    for (let event = yield* nextEvent; event !== undefined; event = yield* nextEvent) yield* deliver(event)
  })

  /** Further with these kinds, also where they lag. */
  const catchUp = (names: ReadonlyArray<string>, count?: number) =>
    Effect.suspend(() => process?.views.catchUp(names, count) ?? Effect.void)
  const follow = Effect.suspend(() => catchUp(namesOfKinds().filter((kind) => !condition.lagging.has(kind))))
  const nextEvent = Effect.map(follow, () => mailbox.shift())

  return {
    mailbox,
    history,
    condition,
    start,
    stop,
    restart,
    deliver,
    deliverAll,
    catchUp,
    relist: (names: ReadonlyArray<string>) => Effect.suspend(() => process?.views.relist(names) ?? Effect.void),
    sweep: Effect.suspend(() => deliver(sweepEvent)),
    isUp: () => process !== undefined
  }
}

export type Replica = ReturnType<typeof makeReplica>

interface Skew {
  readonly skewMillis: () => number
  /** What goes on while somebody sleeps. */
  readonly meanwhile: Effect.Effect<void>
}

// Whoever sleeps moves the test's clock: nobody else is there to do it.
const skewed = (clock: Clock.Clock, { meanwhile, skewMillis }: Skew): Clock.Clock => ({
  ...clock,
  currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + skewMillis(),
  currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis + skewMillis()),
  sleep: (duration: Duration.Duration) =>
    TestClock.adjust(duration).pipe(Effect.provideService(Clock.Clock, clock), Effect.andThen(meanwhile))
})
