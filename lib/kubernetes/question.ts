/**
 * What is asked about many objects of one kind at once. Each question is a
 * named value beside its kind, and says two things: under which keys an object
 * answers it, of which the watch cache keeps an index, and the selector by
 * which the API server answers it in one list. What the selector lets through
 * without having the key is left out, so both give the same. Where a selector
 * can't find all that has the key, the question says who finds the rest.
 */
import type { Identified, Kind } from "./kind.ts"

/** What the API server selects by; what is absent does not matter. */
export interface Selector {
  readonly namespace?: string | undefined
  readonly labels?: Readonly<Record<string, string>>
  /** Each as a field selector has it: `spec.nodeName=one`, `status.settled!=true`. */
  readonly fields?: ReadonlyArray<string>
}

export interface Index<A extends Identified = Identified> {
  /** The keys under which an object is found. */
  keysOf(object: A): ReadonlyArray<string>
}

export interface Question<A extends Identified = Identified> {
  readonly kind: Kind<A>
  readonly selector: Selector
  /** Absent: all that the selector lets through. */
  readonly by?: { readonly index: Index<A>; readonly key: string }
}

interface Definition<A extends Identified, Asked> {
  readonly kind: Kind<A>
  readonly keysOf: (object: A) => ReadonlyArray<string>
  readonly keyFor: (asked: Asked) => string
  readonly selectorFor: (asked: Asked) => Selector
}

/** A question that is asked of different nodes, namespaces or owners. */
export const question = <A extends Identified, Asked>({
  keyFor,
  keysOf,
  kind,
  selectorFor
}: Definition<A, Asked>): ((asked: Asked) => Question<A>) => {
  const index: Index<A> = { keysOf }
  return (asked) => ({ kind, selector: selectorFor(asked), by: { index, key: keyFor(asked) } })
}

interface Labelled<A extends Identified, Asked> extends Pick<Definition<A, Asked>, "kind"> {
  readonly label: string
  /** Which value of the label, and in which namespace they all are, if in one. */
  readonly asked: (asked: Asked) => { readonly namespace?: string | undefined; readonly value: string }
}

/** The objects that have a value of a label. */
export const labelled = <A extends Identified, Asked>({ asked, kind, label }: Labelled<A, Asked>) =>
  question<A, Asked>({
    kind,
    keysOf: ({ metadata }) => {
      const value = metadata.labels?.[label]
      return value === undefined ? [] : [value]
    },
    keyFor: (of) => asked(of).value,
    selectorFor: (of) => {
      const { namespace, value } = asked(of)
      return { namespace, labels: { [label]: value } }
    }
  })

/** All objects of a kind in a namespace. */
export const inNamespace = <A extends Identified>(kind: Kind<A>) =>
  question({
    kind,
    keysOf: ({ metadata }) => [metadata.namespace ?? ""],
    keyFor: (namespace: string) => namespace,
    selectorFor: (namespace) => ({ namespace })
  })

/** All of a kind: for functions that really need each of them, and never for an event about one object. */
export const all = <A extends Identified>(kind: Kind<A>): Question<A> => ({ kind, selector: {} })

/** Whether the object is one of those that are asked for, once the selector has let it through. */
export const answers = <A extends Identified>({ by }: Question<A>, object: A): boolean =>
  by === undefined || by.index.keysOf(object).includes(by.key)
