/**
 * What a function can decide to do. Actions are plain data, so that a decision
 * can be compared with a file, logged and replayed; `interpret` does them.
 */
import type { Kind, KubernetesObject, ObjectMeta, Reference } from "../kubernetes/kind.ts"

/** The object that a write is meant for, as it was when the write was decided on. */
export interface Target {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
}

type Fields = Readonly<Record<string, unknown>>

/** `Sets`: the types of the conditions that it sets, which the compiler holds to what the function says that it sets. */
export type Action<Sets extends string = never> =
  | { readonly action: "Create"; readonly why: string; readonly object: KubernetesObject }
  | { readonly action: "Patch"; readonly why: string; readonly target: Target; readonly patch: Fields }
  | {
      readonly action: "PatchStatus"
      readonly why: string
      readonly target: Target
      readonly status: Fields
      readonly sets?: Sets
    }
  | {
      readonly action: "Delete"
      readonly why: string
      readonly target: Target
      /** Only as it was when this was decided; otherwise whatever became of the object of that uid. */
      readonly ifUnchanged?: true
    }

export const referTo = ({ kind }: Kind, { metadata }: { readonly metadata: ObjectMeta }): Target => ({
  kind,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  name: metadata.name,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion
})

/** The object that the action writes. */
export const objectOf = (action: Action<string>): Reference => {
  const { kind, name, namespace } =
    action.action === "Create" ? { kind: action.object.kind, ...action.object.metadata } : action.target
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) }
}

/** Whether the action writes the object of this kind and name. */
export const isAbout = (
  action: Action<string>,
  { kind, name }: { readonly kind: string; readonly name: string }
): boolean => {
  const object = objectOf(action)
  return object.kind === kind && object.name === name
}
