/**
 * What a function is: a name, the events it listens to, what it may touch, and
 * the three steps. `npm run generate` makes its Triggers, its permissions and
 * what runs it on its own of this; `run` takes it through one event.
 */
import { Effect, Option, Schema } from "effect"
import type { Action } from "./action.ts"
import type { Identified, Kind, Reference } from "./api/kind.ts"
import type { Cluster } from "./cluster.ts"
import type { CloudEvent, EventFilter } from "./events.ts"
import type { Done, RestsOn } from "./interpret.ts"
import type { KubernetesError } from "./kube/error.ts"
import type { Settings } from "./settings.ts"
import type { Phase } from "./traces/span.ts"

/** One rule of a Role: `verbs` on `resources` of `apiGroups`. */
export interface Permission {
  /** Only in this namespace; absent: in all. */
  readonly namespace?: string
  readonly apiGroups: ReadonlyArray<string>
  readonly resources: ReadonlyArray<string>
  readonly verbs: ReadonlyArray<string>
}

/** An object that a function wanted to write, and what the API server has against it. */
export const Refusal = Schema.Struct({
  kind: Schema.String,
  name: Schema.String,
  message: Schema.String,
  /** It was answered so twice in a row, ten seconds apart: only then is it told. */
  isLasting: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
})
export type Refusal = typeof Refusal.Type

export type Reads<A> = Effect.Effect<A, KubernetesError, Cluster | Settings>

/** Objects of one kind that need no look. */
export interface Ignored {
  readonly kind: string
  readonly matches: (object: unknown, event: CloudEvent) => boolean
}

/** What we can't read of an object is no reason to ignore it. */
export const ignore = <A extends Identified>(
  kind: Kind<A>,
  needsNoLook: (object: A, event: CloudEvent) => boolean
): Ignored => {
  const read = Schema.decodeUnknownOption(kind.schema)
  return {
    kind: kind.kind,
    matches: (object, event) => Option.exists(read(object), (object) => needsNoLook(object, event))
  }
}

export interface EnbiFunction<O> {
  /** The folder's name, and that of its Trigger, ServiceAccount and spans. */
  readonly name: string
  readonly on: ReadonlyArray<EventFilter>
  /** The events that it may answer with, by the attributes that a Trigger can see; absent: none. */
  readonly replies?: ReadonlyArray<EventFilter>
  /** Nobody waits for what it does, so Knative Serving may end its last Pod. */
  readonly isRare?: true
  /** The least time between two looks at one object, where nobody waits for what comes of one; absent: none. */
  readonly pauseSeconds?: number
  /** What `observe` and the actions need without a cache; `npm run generate` adds what the cache needs. */
  readonly permissions: ReadonlyArray<Permission>
  /** What needs no look, by what an event brought of it: only to stop before anything is read. */
  readonly ignores?: ReadonlyArray<Ignored>
  /**
   * Which objects an event asks to look at: for a sweep all that are open. `object` is the one that changed, where it
   * came with the event or a cache has it. It may be an old one or a lie, so it only says whom to look at.
   */
  readonly subjects: (event: CloudEvent, object?: unknown) => Reads<ReadonlyArray<Reference>>
  /** Everything that the decision needs, or nothing when the object is gone. */
  readonly observe: (subject: Reference) => Reads<Option.Option<O>>
  readonly Observed: Schema.Codec<O, unknown>
  readonly decide: (observed: O) => ReadonlyArray<Action>
  /**
   * Where one look leads to actions on many objects: the other objects that an action builds on. An object that has
   * changed then keeps back only the actions on it and on what builds on it; absent: all that follow.
   */
  readonly restsOn?: (observed: O) => RestsOn
  /** The observation with a refusal in it, for a function that tells people of one: it is then decided again. */
  readonly refused?: (observed: O, refusal: Refusal) => O
  /** What its writes brought to an end, for the trace. */
  readonly phases?: (observed: O, done: ReadonlyArray<Done>) => ReadonlyArray<Phase>
  /** What an event shows to have ended that no write of ours ends, for the trace; asked only where there is one. */
  readonly witnesses?: {
    readonly ignores: Ignored
    readonly phases: (event: CloudEvent) => Reads<ReadonlyArray<Phase>>
  }
}

/** Fixes the type of the observation; otherwise the identity. */
export const defineFunction = <O>(definition: EnbiFunction<O>): EnbiFunction<O> => definition
