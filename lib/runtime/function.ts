/**
 * What a function is: a name, the events it listens to, what it may touch, and
 * the three steps. `npm run generate` makes its Triggers, its permissions and
 * its manifests from this; `reconcile` takes it through one event.
 */
import { Effect, Option, Schema } from "effect"
import type { Action } from "./action.ts"
import { type Kind, kindNamed, type Reference } from "../kubernetes/kind.ts"
import type { Cluster } from "../kubernetes/cluster.ts"
import type { CloudEvent, EventFilter } from "./events.ts"
import type { IgnorePredicate } from "./predicate.ts"
import type { RestsOn } from "./interpret.ts"
import type { KubernetesError } from "../kubernetes/error.ts"
import type { Settings, SettingsValue } from "../api/settings.ts"

/** What may be done with objects of a kind, or with a subresource of them. */
export interface Permission {
  readonly kind: Kind
  readonly subresource?: "finalizers" | "status"
  readonly verbs: ReadonlyArray<Verb>
}

type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete"

export const allow = (kind: Kind, ...verbs: ReadonlyArray<Verb>): Permission => ({ kind, verbs })

export const allowStatus = (kind: Kind): Permission => ({ kind, subresource: "status", verbs: ["patch"] })

/** An object that a function wanted to write, and why the API server refuses it. */
export const Refusal = Schema.Struct({
  kind: Schema.String,
  name: Schema.String,
  message: Schema.String,
  /** It was given twice in a row, ten seconds apart; only then is it reported. */
  isLasting: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
})
export type Refusal = typeof Refusal.Type

/** What an observation holds of them, where `addRefusal` adds them; records of before there were any hold none. */
export const Refusals = Schema.Array(Refusal).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))

/** `refused` of a function whose observation holds them all. */
export const addRefusal = <O extends { readonly refusals: ReadonlyArray<Refusal> }>(
  observed: O,
  refusal: Refusal
): O => ({
  ...observed,
  refusals: [...observed.refusals, refusal]
})

export type Reads<A> = Effect.Effect<A, KubernetesError, Cluster | Settings>

export interface EnbiFunction<O> {
  /** The folder's name, and that of its Trigger, ServiceAccount and spans. */
  readonly name: string
  readonly on: ReadonlyArray<EventFilter>
  /** The events that it may answer with, by the attributes that a Trigger can see; absent: none. */
  readonly replies?: ReadonlyArray<EventFilter>
  /** Nothing waits for what it does, so Knative Serving may stop its last Pod. */
  readonly isRare?: true
  /** The least time between two reconciliations of one object, if nothing waits for their results; absent: none. */
  readonly pauseSeconds?: number
  /** What `observe` and the actions need without a cache; `npm run generate` adds what the cache needs. */
  readonly permissions: ReadonlyArray<Permission>
  /** The settings that it reads; absent: none. */
  readonly settings?: ReadonlyArray<keyof SettingsValue>
  /** The objects to ignore, judged by what an event brought, before anything is read. */
  readonly ignorePredicates?: ReadonlyArray<IgnorePredicate>
  /**
   * The objects to reconcile because of an event: for a sweep, all that are open. `object` is the one that changed, if
   * it came with the event or a cache has it. It may be outdated or forged, so it only says what to reconcile.
   */
  readonly mapEvent: (event: CloudEvent, object?: unknown) => Reads<ReadonlyArray<Reference>>
  /** Everything that the decision needs, or nothing when the object is gone. */
  readonly observe: (subject: Reference) => Reads<Option.Option<O>>
  readonly Observed: Schema.Codec<O, unknown>
  readonly decide: (observed: O) => ReadonlyArray<Action<string>>
  /** The types of the conditions that it sets; no other function sets them. Absent: none. */
  readonly sets?: ReadonlyArray<string>
  /**
   * For a function that acts on many objects at once: the other objects that an action depends on. An object that has
   * changed then holds back only the actions on it and on what depends on it; absent: all that follow.
   */
  readonly restsOn?: (observed: O) => RestsOn
  /** Adds a refusal to the observation; `decide` then runs again, so that it can report it. */
  readonly refused?: (observed: O, refusal: Refusal) => O
}

/** The kinds whose events the functions listen to, each once. */
export const heardBy = (functions: ReadonlyArray<Pick<Partial<EnbiFunction<unknown>>, "on">>): ReadonlyArray<Kind> =>
  unique(functions.flatMap(({ on = [] }) => on.flatMap(({ kind = "" }) => kindNamed(kind) ?? [])))

/** The kinds that the functions listen to or read, each once: those that a watch cache has to follow. */
export const kindsOf = (
  functions: ReadonlyArray<Pick<EnbiFunction<unknown>, "permissions"> & Pick<Partial<EnbiFunction<unknown>>, "on">>
): ReadonlyArray<Kind> => {
  const read = functions
    .flatMap(({ permissions }) => permissions)
    .filter(
      ({ subresource, verbs }) => subresource === undefined && verbs.some((verb) => verb === "get" || verb === "list")
    )
    .map(({ kind }) => kind)
  return unique([...heardBy(functions), ...read])
}

/** A kind of objects in namespaces that the function may list. */
export const listableBy = ({ permissions }: Pick<EnbiFunction<unknown>, "permissions">): Kind | undefined =>
  permissions.find(({ kind, verbs }) => kind.namespaced && verbs.includes("list"))?.kind

const unique = (kinds: ReadonlyArray<Kind>): ReadonlyArray<Kind> =>
  [...new Map(kinds.map((kind) => [kind.kind, kind])).values()].toSorted((a, b) => (a.kind < b.kind ? -1 : 1))

/** Fixes the type of the observation, and holds `decide` to the conditions that the function `sets`. */
export const defineFunction = <O, const Sets extends string = never>(
  definition: Omit<EnbiFunction<O>, "decide" | "sets"> & {
    readonly sets?: ReadonlyArray<Sets>
    readonly decide: (observed: O) => ReadonlyArray<Action<NoInfer<Sets>>>
  }
): EnbiFunction<O> => definition
