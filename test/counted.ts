/** Counts work by what is read, since time says little on a busy machine. */

/** The same value, by which each property that is read is counted. */
export const counted = <A extends object>(value: A) => {
  let reads = 0
  const known = new WeakMap<object, object>()
  const get = (target: object, key: PropertyKey, receiver: unknown): unknown => {
    reads += 1
    const found: unknown = Reflect.get(target, key, receiver)
    if (typeof found !== "object" || found === null) return found
    const proxy = known.get(found) ?? new Proxy(found, { get })
    known.set(found, proxy)
    return proxy
  }
  return { value: new Proxy<A>(value, { get }), reads: () => reads }
}
