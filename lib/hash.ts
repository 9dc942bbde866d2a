/** Short names computed from what they identify. */
import { hash } from "node:crypto"

// In one call: it takes a third of the time of one that is made, fed and asked.
export const sha256 = (text: string): string => hash("sha256", text, "hex")

/** Ten hex digits that differ when any part differs. */
export const hash10 = (...parts: ReadonlyArray<string>): string =>
  // The length goes in front, or ("ab", "c") would be ("a", "bc").
  sha256(parts.map((part) => `${part.length}:${part}`).join("")).slice(0, 10)
