/** Which of many names somebody may have meant who wrote another. */
import leven from "leven"

const maxNear = 3

/** The nearest names, at most three, the nearest first; none that is very different. */
export const nearest = (name: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const wanted = plain(name)
  const limit = Math.min(3, Math.ceil(wanted.length / 2))
  return names
    .map((other) => ({ other, distance: leven(wanted, plain(other), { maxDistance: limit + 1 }) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, maxNear)
    .map(({ other }) => other)
}

// nixpkgs writes 7zz as _7zz.
const plain = (name: string): string => name.toLowerCase().replace(/^_/u, "")
