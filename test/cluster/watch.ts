/** What becomes of objects while a test runs: every change, and when it was seen here. */
import { Cause, Clock, Deferred, Effect, Option, Ref, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { type Identified, type Kind, pathOf } from "../../lib/kubernetes/kind.ts"
import { queryOf, reading } from "../../lib/kubernetes/cluster.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { Kubeconfig } from "./api-server.ts"

const startProxy = Effect.fnUntraced(function* (...flags: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const handle = yield* spawner.spawn(
    ChildProcess.make("kubectl", ["proxy", "--port=0", ...flags], {
      env: { KUBECONFIG: yield* Kubeconfig },
      extendEnv: true
    })
  )
  const line = yield* handle.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead)
  return `http://${/127\.0\.0\.1:\d+/.exec(Option.getOrElse(line, () => ""))?.[0]}`
})

/** `kubectl proxy` on a port of its own choice, and its URL. */
export const proxy = startProxy()

/** The same with the rights of another user. */
export const proxyAs = (user: string) => startProxy(`--as=${user}`)

export interface Seen<A> {
  readonly timeMillis: number
  readonly verb: "ADDED" | "MODIFIED" | "DELETED"
  readonly object: A
}

/** Begins with what is there now; gives, each time it is asked, all that was seen until then, in order. */
export const watch = Effect.fnUntraced(function* <A extends Identified>(kind: Kind<A>) {
  const api = yield* KubernetesApi
  const seen = yield* Ref.make<ReadonlyArray<Seen<A>>>([])
  const listed = yield* Deferred.make<void>()
  yield* api.follow(pathOf(kind), queryOf(kind), reading(kind)).pipe(
    Stream.runForEach(
      Effect.fnUntraced(function* (change) {
        const timeMillis = yield* Clock.currentTimeMillis
        const objects = yield* Effect.forEach(change._tag === "Listed" ? change.items : [change.object], (object) =>
          Effect.fromResult(object)
        )
        const verb = change._tag === "Listed" ? "ADDED" : change._tag
        yield* Ref.update(seen, (before) => [...before, ...objects.map((object) => ({ timeMillis, verb, object }))])
        yield* Deferred.succeed(listed, undefined)
      })
    ),
    // Whoever waits for a change would only see that none comes.
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a watch ended", cause)
    ),
    Effect.forkScoped
  )
  yield* Deferred.await(listed)
  return Ref.get(seen)
})
