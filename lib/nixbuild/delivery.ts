/** Where a NixBuild's image goes, and the words for that on the way and at the end. */
import type { Reason } from "../api/reasons.ts"
import type { NixBuild } from "../api/nixbuild.ts"

interface Delivery {
  /** It is there. */
  readonly done: Reason
  /** It did not get there, for no other reason that is known. */
  readonly failed: "ImportFailed" | "PublishFailed"
  readonly completed: string
  /** Who takes the image there. */
  readonly taker: string
}

const deliveries: Readonly<Record<NonNullable<NixBuild["spec"]["delivery"]>, Delivery>> = {
  Nodes: { done: "ImagePulled", failed: "ImportFailed", completed: "Image loaded", taker: "containerd on the node" },
  Registry: {
    done: "ImagePublished",
    failed: "PublishFailed",
    completed: "Image published",
    taker: "the image registry"
  }
}

export const deliveryOf = ({ spec }: Pick<NixBuild, "spec">): Delivery => deliveries[spec.delivery ?? "Nodes"]

/** No node has it in its containerd, so no Pod can be woken for it. */
export const isForRegistry = ({ spec }: Pick<NixBuild, "spec">): boolean => spec.delivery === "Registry"
