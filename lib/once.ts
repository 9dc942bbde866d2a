/** What is worked out once of an object that never changes, and kept as long as the object is. */
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
