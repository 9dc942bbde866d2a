/** A story in which each function is on its own: under its own account, and without a cache. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Cluster, getFrom, listFrom, writesOf } from "../../lib/kubernetes/cluster.ts"
import type { KubernetesObject } from "../../lib/kubernetes/kind.ts"
import { type CloudEvent, matches } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import { loadFunctions } from "../../lib/runtime/load.ts"
import { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { KubernetesError } from "../../lib/kubernetes/error.ts"
import { reconcile } from "../../lib/runtime/reconcile.ts"
import { Settings, type SettingsValue } from "../../lib/api/settings.ts"
import { type ApiServer, makeApiServer } from "../memory/api-server.ts"
import { stateOf } from "../memory/ending.ts"
import { settings, twoNodes } from "../memory/given.ts"
import { sweepEvent } from "../memory/replica.ts"
import { makeWorld } from "../memory/world.ts"
import { type Access, accessOf, isPermitted } from "./permissions.ts"

export const functions = await Effect.runPromise(
  loadFunctions(new URL("../../functions/", import.meta.url)).pipe(Effect.provide(NodeServices.layer))
)

/** What a function asked the API server for. */
export interface Asked extends Access {
  readonly function: string
}

/** The cluster as one function sees it: live, and no further than its account may look. */
const clusterOf = (server: ApiServer, { name, permissions }: EnbiFunction<unknown>, asked: Array<Asked>) => {
  const api = server.connect(() => Stream.never)
  const check = (method: string, path: string) => {
    const access = accessOf(method, path)
    asked.push({ function: name, ...access })
    return isPermitted(permissions, access)
      ? Effect.void
      : Effect.fail(new KubernetesError({ status: 403, reason: "Forbidden", message: path }))
  }
  const own = KubernetesApi.of({
    ...api,
    request: (method, path, options) => Effect.andThen(check(method, path), api.request(method, path, options)),
    list: (path, query, read) => Effect.andThen(check("GET", path), api.list(path, query, read))
  })
  const [get, list] = [getFrom(own), listFrom(own)]
  return Layer.succeed(Cluster, { get, getFresh: get, list, listFresh: list, ...writesOf(own) })
}

const deliver = (definition: EnbiFunction<unknown>, event: CloudEvent) =>
  definition.mapEvent(event).pipe(
    Effect.flatMap((subjects) => Effect.forEach(subjects, (subject) => reconcile(definition, event, subject))),
    // What fails is tried again by the next sweep.
    Effect.ignore
  )

export interface Story {
  /** Absent: two nodes. */
  readonly given?: ReadonlyArray<KubernetesObject>
  readonly settings?: Partial<SettingsValue>
  /** `step node`: Jobs of this step find no room there at first. */
  readonly full?: ReadonlyArray<string>
  /** What the API server says to whatever is to be created, at first: nothing is. */
  readonly denied?: string
  /** What happens when all is built, and before the last sweeps. */
  readonly happens?: (server: ApiServer) => Effect.Effect<void>
}

export const playAlone = ({
  denied,
  full = [],
  given = twoNodes,
  happens = () => Effect.void,
  settings: differing
}: Story) =>
  Effect.gen(function* () {
    const server = makeApiServer()
    const world = makeWorld(server.objects)
    const asked: Array<Asked> = []
    for (const object of given) yield* Effect.orDie(server.objects.create(object))
    const values = { ...settings, ...differing }
    const read: Array<string> = []
    const ownOf = (definition: EnbiFunction<unknown>) =>
      Layer.succeed(
        Settings,
        new Proxy(values, {
          get: (target, key) => {
            read.push(`${definition.name}: ${String(key)}`)
            return Reflect.get(target, key)
          }
        })
      )
    const send = (event: CloudEvent) =>
      Effect.forEach(
        functions.filter(({ on }) => on.some((filter) => matches(filter, event))),
        (definition) =>
          deliver(definition, event).pipe(
            Effect.provide(Layer.merge(clusterOf(server, definition, asked), ownOf(definition)))
          ),
        { discard: true }
      )
    let told = 0
    const tellAll = Effect.gen(function* () {
      for (; told < server.objects.log.length; told += 1) {
        const { kind, metadata } = server.objects.log[told]?.object ?? {}
        if (kind === undefined || metadata === undefined) continue
        const { name, namespace } = metadata
        yield* send({ ...sweepEvent, type: "changed", kind, name, ...(namespace === undefined ? {} : { namespace }) })
        yield* world.tick
      }
    })
    const sweeps = Effect.gen(function* () {
      for (let rounds = 0; rounds < 5; rounds += 1) {
        yield* tellAll
        yield* TestClock.adjust("30 seconds")
        yield* send(sweepEvent)
      }
    })
    for (const place of full) world.full.add(place)
    server.fate.refusalOf = () => denied
    yield* sweeps
    world.full.clear()
    server.fate.refusalOf = () => undefined
    yield* happens(server)
    yield* sweeps
    return { asked, read: [...new Set(read)], state: stateOf(server.objects.objects) }
  }).pipe(Effect.provide([TestClock.layer(), Logger.layer([])]))
