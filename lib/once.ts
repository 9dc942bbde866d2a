/** Computes something once for an object that never changes, and keeps it as long as the object. */
export const once = <A extends object, B>(workOut: (object: A) => B): ((object: A) => B) => {
  const known = new WeakMap<A, { readonly of: B }>()
  return (object) => {
    const before = known.get(object)
    if (before !== undefined) return before.of
    const of = workOut(object)
    known.set(object, { of })
    return of
  }
}

/** The same of a text; when many are known, all are forgotten. */
export const onceForText = <B>(workOut: (text: string) => B): ((text: string) => B) => {
  const known = new Map<string, B>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    if (known.size >= maxTexts) known.clear()
    const of = workOut(text)
    known.set(text, of)
    return of
  }
}

const maxTexts = 10_000
