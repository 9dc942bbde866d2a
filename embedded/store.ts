/** The objects of one kind, by name, and found by the namespace, the node or the controller that they belong to. */
import { Predicate } from "effect"
import type { Identified } from "../lib/api/kind.ts"
import type { Selection } from "../lib/cluster.ts"
import { controllerUidLabel } from "../lib/keys.ts"

/** Where an object is in its store. */
export const keyOf = ({ name, namespace = "" }: { readonly name: string; readonly namespace?: string | undefined }) =>
  `${namespace}/${name}`

/** What can be asked of a store. */
export interface Found<A extends Identified> {
  readonly kind: string
  readonly get: (key: string) => A | undefined
  readonly list: (selection: Selection) => ReadonlyArray<A>
}

/** A change in it. */
interface Kept {
  readonly put: (object: Identified) => void
  readonly forget: (key: string) => void
}

export const makeStore = (kind: string): Found<Identified> & Kept => {
  const objects = new Map<string, Identified>()
  const byTerm = new Map<string, Set<string>>()

  const forget = (key: string) => {
    const before = objects.get(key)
    if (before === undefined) return
    objects.delete(key)
    for (const term of termsOf(before)) {
      const keys = byTerm.get(term)
      keys?.delete(key)
      if (keys?.size === 0) byTerm.delete(term)
    }
  }

  const put = (object: Identified) => {
    const key = keyOf(object.metadata)
    const before = objects.get(key)
    const terms = termsOf(object)
    // Most changes are of a status.
    if (before === undefined || String(termsOf(before)) !== String(terms)) {
      forget(key)
      for (const term of terms) byTerm.set(term, (byTerm.get(term) ?? new Set()).add(key))
    }
    objects.set(key, object)
  }

  /** Those of the term that the fewest have, if the selection names one. */
  const candidates = (selection: Selection): Iterable<Identified> => {
    const [fewest] = wantedTerms(selection)
      .map((term) => byTerm.get(term) ?? new Set<string>())
      .toSorted((a, b) => a.size - b.size)
    return fewest === undefined ? objects.values() : Array.from(fewest, (key) => objects.get(key)).filter(isThere)
  }

  return {
    kind,
    get: (key) => objects.get(key),
    put,
    forget,
    list: (selection) => Array.from(candidates(selection)).filter((object) => isSelected(object, selection))
  }
}

const isThere = Predicate.isNotUndefined

const inNamespace = (namespace: string) => `namespace ${namespace}`
const onNode = (name: string) => `node ${name}`
const ofController = (uid: string) => `controller ${uid}`

const some = (value: string | undefined, term: (value: string) => string) => (value === undefined ? [] : [term(value)])

const termsOf = (object: Identified): ReadonlyArray<string> => {
  const { labels, namespace } = object.metadata
  return [
    ...some(namespace, inNamespace),
    ...some(nodeNameOf(object), onNode),
    ...some(labels?.[controllerUidLabel], ofController)
  ]
}

const wantedTerms = ({ labels, namespace, nodeName }: Selection): ReadonlyArray<string> => [
  ...some(namespace, inNamespace),
  ...some(nodeName, onNode),
  ...some(labels?.[controllerUidLabel], ofController)
]

/** Of Pods. */
const nodeNameOf = (object: object): string | undefined => {
  const spec = Predicate.hasProperty(object, "spec") ? object.spec : undefined
  return Predicate.hasProperty(spec, "nodeName") && Predicate.isString(spec.nodeName) ? spec.nodeName : undefined
}

const isSelected = (object: Identified, { labels = {}, namespace, nodeName }: Selection): boolean =>
  (namespace === undefined || object.metadata.namespace === namespace) &&
  (nodeName === undefined || nodeNameOf(object) === nodeName) &&
  Object.entries(labels).every(([key, value]) => object.metadata.labels?.[key] === value)
