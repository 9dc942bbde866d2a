/**
 * How an object leads back to the one of ours that it is for, where an owner
 * reference can't: from another namespace, or from the Pod of a Job.
 */
import { groupOf, type Identified, type Kind, type ObjectMeta, type Reference } from "./kind.ts"

export const ownedBy = (kind: Pick<Kind, "apiVersion" | "custom" | "kind">) => {
  const annotation = `${groupOf(kind)}/${kind.custom?.singular ?? kind.kind.toLowerCase()}`
  const uidLabel = `${annotation}-uid`
  return {
    /** The annotation that names the owner. */
    annotation,
    /** The label that has its uid, for selecting. */
    uidLabel,
    /** What an object of this owner carries. */
    belongingTo: ({ metadata: { name, namespace = "", uid } }: Identified) => ({
      labels: { [uidLabel]: uid },
      annotations: { [annotation]: `${namespace}/${name}` }
    }),
    /** The owner that an object names, if it names one. */
    ownerOf: ({
      annotations
    }: {
      readonly annotations?: ObjectMeta["annotations"] | undefined
    }): Reference | undefined => {
      const [namespace, name] = annotations?.[annotation]?.split("/") ?? []
      return namespace === undefined || name === undefined ? undefined : { kind: kind.kind, namespace, name }
    }
  }
}
