/**
 * Holds the objects that we make to Kubernetes' own types: a field that it does
 * not have, or one of another type, is a compile error wherever it comes from.
 * Only types of @kubernetes/client-node are used, so nothing of it is loaded.
 */

/**
 * An object of client-node's type `A` as JSON has it: times are text, quantities may be numbers, `_from` is `from`, and
 * nobody changes it.
 */
export type Manifest<A> = A extends Date
  ? string
  : A extends ReadonlyArray<infer Item>
    ? ReadonlyArray<Manifest<Item>>
    : A extends object
      ? {
          readonly [K in keyof A as K extends `_${infer Name}` ? Name : K]:
            | (K extends "limits" | "requests" ? Readonly<Record<string, number | string>> : Manifest<A[K]>)
            | (object extends Pick<A, K> ? undefined : never)
        }
      : A

/** `T`, in which each field that `Shape` has not is `never`: unlike an excess property check, it sees through spreads. */
type Known<T, Shape> =
  T extends ReadonlyArray<infer Item>
    ? Shape extends ReadonlyArray<infer Other>
      ? ReadonlyArray<Known<Item, Other>>
      : T
    : T extends object
      ? { readonly [K in keyof T]: K extends keyof Shape ? Known<T[K], NonNullable<Shape[K]>> : never }
      : T

/** The object as it is, if it is one of type `A`: `manifest<V1Job>()({ … })`. */
export const manifest =
  <A>() =>
  <T extends Manifest<A>>(object: T & Known<T, Manifest<A>>): T =>
    object
