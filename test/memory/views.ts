/**
 * What one process's watches have been told so far. Each kind's watch stands
 * at a place in the log of changes and goes on only when the test says so, so
 * its cache shows an older world; it can also lose its place, as after 410,
 * and then lists all that is there now.
 */
import { Effect, Stream } from "effect"
import { type Kind, knownKinds } from "../../lib/kubernetes/kind.ts"
import type { Query } from "../../lib/kubernetes/requests.ts"
import type { Change } from "../../lib/kubernetes/watch.ts"
import { isSelected } from "../../lib/memory/api-server.ts"
import type { Objects } from "../../lib/memory/objects.ts"

type Kinds = ReadonlyArray<string>

export const makeViews = (truth: Objects) => {
  const views = new Map(knownKinds().map(({ kind }) => [kind, makeView(truth, kind)]))
  const among = (names: Kinds) => [...views].flatMap(([name, view]) => (names.includes(name) ? [view] : []))

  const follow = (kind: Kind, query: Query) => views.get(kind.kind)?.follow(query) ?? Stream.empty

  /** Lists anew, and nobody is told what happened in between. */
  const relist = Effect.fnUntraced(function* (names: Kinds) {
    // A cache holds its events back until each kind is listed, so all get their list before any is waited for.
    for (const view of among(names)) yield* view.list
    for (const view of among(names)) yield* view.isIdle
  })

  /** The next `count` changes, in the order in which they happened. */
  const catchUp = Effect.fnUntraced(function* (names: Kinds, count = Infinity) {
    const behind = among(names)
    let told = 0
    for (let at = Math.min(...behind.map((view) => view.place())); at < truth.log.length && told < count; at += 1) {
      for (const view of behind) {
        const change = view.pass(at)
        if (change === undefined) continue
        yield* view.tell(change)
        told += 1
      }
    }
  })

  /** Tells of a change that need not be in the log. */
  const tell = (kind: string, change: Change<unknown>) => views.get(kind)?.tell(change) ?? Effect.void

  return { follow, relist, catchUp, tell }
}

const makeView = (truth: Objects, kind: string) => {
  let place = 0
  let selection: Query = {}
  let give: ((change: Change<unknown>) => void) | undefined

  const next = Effect.callback<Change<unknown>>((resume) => {
    give = (change) => {
      give = undefined
      resume(Effect.succeed(change))
    }
  })

  const follow = (query: Query): Stream.Stream<Change<unknown>> => {
    selection = query
    return Stream.fromEffectRepeat(next)
  }

  // A stream asks for the next change when it is done with the one before.
  const isIdle = Effect.gen(function* () {
    for (let turns = 0; turns < 1000; turns += 1) {
      if (give !== undefined) return give
      yield* Effect.yieldNow
    }
    return yield* Effect.die(new Error(`nobody follows ${kind} any more`))
  })

  const list = Effect.gen(function* () {
    const send = yield* isIdle
    place = truth.log.length
    send({
      _tag: "Listed",
      resourceVersion: truth.newest(),
      items: [...truth.objects.values()].filter((object) => object.kind === kind && isSelected(object, selection))
    })
  })

  /** The change at this place in the log, if it is news here. */
  const pass = (at: number): Change<unknown> | undefined => {
    const logged = truth.log[at]
    if (at < place || logged === undefined) return undefined
    place = at + 1
    const isSeen = logged.object.kind === kind && isSelected(logged.object, selection)
    return isSeen ? { _tag: logged.verb, object: logged.object } : undefined
  }

  const tell = Effect.fnUntraced(function* (change: Change<unknown>) {
    const send = yield* isIdle
    send(change)
    yield* isIdle
  })

  return { follow, list, isIdle, pass, tell, place: () => place }
}
