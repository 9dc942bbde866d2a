/** The objects of one kind, by name, with an index for each question that has been asked about them. */
import { Predicate } from "effect"
import type { Identified, Kind } from "../kubernetes/kind.ts"
import type { Index, Question } from "../kubernetes/question.ts"

/** Where an object is in its store. */
export const keyOf = ({ name, namespace = "" }: { readonly name: string; readonly namespace?: string | undefined }) =>
  `${namespace}/${name}`

/** What can be asked of a store. */
export interface Found<A extends Identified> {
  readonly kind: string
  readonly get: (key: string) => A | undefined
  list(question: Question<A>): ReadonlyArray<A>
}

/** A change in it. */
interface Kept {
  readonly put: (object: Identified) => void
  readonly forget: (key: string) => void
}

export const makeStore = ({ kind }: Pick<Kind, "kind">): Found<Identified> & Kept => {
  const objects = new Map<string, Identified>()
  // Built on first use, so an unused question costs nothing.
  const indexes = new Map<Index, ReturnType<typeof makeIndexed>>()

  const indexedBy = (index: Index) => {
    const known = indexes.get(index)
    if (known !== undefined) return known
    const made = makeIndexed(index)
    for (const [key, object] of objects) made.put(key, { before: undefined, object })
    indexes.set(index, made)
    return made
  }

  const forget = (key: string) => {
    const before = objects.get(key)
    objects.delete(key)
    for (const indexed of indexes.values()) indexed.put(key, { before, object: undefined })
  }

  const put = (object: Identified) => {
    const key = keyOf(object.metadata)
    const before = objects.get(key)
    for (const indexed of indexes.values()) indexed.put(key, { before, object })
    objects.set(key, object)
  }

  return {
    kind,
    get: (key) => objects.get(key),
    put,
    forget,
    list: ({ by }) =>
      by === undefined
        ? Array.from(objects.values())
        : Array.from(indexedBy(by.index).get(by.key), (key) => objects.get(key)).filter(Predicate.isNotUndefined)
  }
}

interface Changed {
  readonly before: Identified | undefined
  readonly object: Identified | undefined
}

/** For each key of an index, the keys in the store of the objects that have it. */
const makeIndexed = (index: Index) => {
  const objectKeys = new Map<string, Set<string>>()
  const keysOf = (object: Identified | undefined) => (object === undefined ? [] : index.keysOf(object))
  return {
    get: (key: string): Iterable<string> => objectKeys.get(key) ?? [],
    put: (objectKey: string, { before, object }: Changed) => {
      const [old, keys] = [keysOf(before), keysOf(object)]
      for (const key of old) {
        // Most changes change none.
        if (keys.includes(key)) continue
        objectKeys.get(key)?.delete(objectKey)
        if (objectKeys.get(key)?.size === 0) objectKeys.delete(key)
      }
      for (const key of keys)
        if (!old.includes(key)) objectKeys.set(key, (objectKeys.get(key) ?? new Set()).add(objectKey))
    }
  }
}
