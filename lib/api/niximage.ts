/**
 * NixImage (`k8s.nixos.org/v1`): a list of packages, wanted as an image under
 * a name and a tag of the cluster's image registry. `npm run generate` makes
 * `crds/niximages.yaml` of this file; every `description` here is what
 * `kubectl explain` prints.
 */
import { Schema } from "effect"
import { isTrue, makeConditionSchema } from "../kubernetes/condition.ts"
import { defineKind, ObjectMeta } from "../kubernetes/kind.ts"
import { requestFields } from "./image-request.ts"
import { repositoryRules, tagRules } from "./image-rules.ts"
import { Failure, System } from "./nixbuild.ts"
import { pending } from "./nixbuild-condition.ts"
import { flakeUrlRules, rulesOf } from "./nixbuild-rules.ts"
import { Reason } from "./reasons.ts"

const optional = Schema.optionalKey

export const Data = Schema.Struct({
  tag: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128)).annotate({
    description: "The image's tag. Together with the name it is what Pods write under image: <registry>/<name>:<tag>.",
    "x-kubernetes-validations": rulesOf(tagRules)
  }),
  name: optional(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(200)).annotate({
      description:
        "The image's name in the registry, which may have slashes, as shell/git. It belongs, with its tag, to the first namespace that has a NixImage of it; <namespace>/<name>:<tag> is there too. Absent: metadata.name.",
      "x-kubernetes-validations": rulesOf(repositoryRules)
    })
  ),
  packages: optional(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2048)).annotate({
      description:
        "The package set: a Nix flake reference of a flake with legacyPackages, in the forms of a NixBuild's flakeUrl. It is resolved once for equal requests of a namespace. Absent: the setting PACKAGE_SET.",
      "x-kubernetes-validations": rulesOf(flakeUrlRules)
    })
  ),
  systems: optional(
    Schema.Array(System).check(Schema.isMinLength(1), Schema.isMaxLength(8)).annotate({
      description:
        "The Nix systems to build for. The image is served as soon as one is built. Absent: those of the cluster's nodes.",
      "x-kubernetes-list-type": "set"
    })
  ),
  ...requestFields
})
export type Data = typeof Data.Type

export const ConditionType = Schema.Literals(["Ready", "Stalled"]).annotate({ description: "Ready or Stalled." })
export const Condition = makeConditionSchema({ type: ConditionType, reason: Reason })
export type Condition = typeof Condition.Type

/** What `kubectl get niximages` prints under STATUS. */
export const Phase = Schema.Literals(["BuildPending", "Building", "Built", "Failed"])
export type Phase = typeof Phase.Type

/** How far the image is for one system. */
export const SystemStatus = Schema.Struct({
  system: System.annotate({ description: "The Nix system." }),
  build: Schema.String.annotate({ description: "The NixBuild that builds it, in this namespace." }),
  status: Phase.annotate({ description: "BuildPending, Building, Built or Failed." }),
  digest: optional(Schema.String.annotate({ description: "sha256 of the image's index, once the registry has it." })),
  message: optional(Schema.String.annotate({ description: "How far it is, or why it failed, as sentences." }))
})
export type SystemStatus = typeof SystemStatus.Type

/** An image that the NixImage had for one of its systems. */
export const FormerDigest = Schema.Struct({
  digest: Schema.String.annotate({ description: "sha256 of the image's index." }),
  replacedTime: Schema.String.annotate({
    description: "When another took its place, RFC 3339.",
    format: "date-time"
  })
})
export type FormerDigest = typeof FormerDigest.Type

export const Status = Schema.Struct({
  observedGeneration: optional(
    Schema.Int.annotate({
      description:
        "The metadata.generation that this status describes. If it is older than the object's, the status is out of date."
    })
  ),
  status: optional(Phase.annotate({ description: "BuildPending, Building, Built or Failed." })),
  holds: optional(
    Schema.String.annotate({
      description:
        "The name and tag that this namespace holds in the registry: <name>:<tag>. Absent: another namespace holds it, and the image is served as <namespace>/<name>:<tag> only."
    })
  ),
  systems: optional(
    Schema.Array(SystemStatus).annotate({
      description: "How far the image is for each system.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["system"]
    })
  ),
  former: optional(
    Schema.Array(FormerDigest).annotate({
      description:
        "Images that it had before it was changed. The registry serves them by digest until KEEP_REPLACED_SECONDS have passed.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["digest"]
    })
  ),
  failure: optional(Failure.annotate({ description: "Why no image was built; absent when one was." })),
  conditions: optional(
    Schema.Array(Condition).annotate({
      description:
        "Ready: the registry serves the image for every system; otherwise the message says how far it is. Stalled: it cannot continue until a person changes something.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"]
    })
  )
})
export type Status = typeof Status.Type

export const NixImage = Schema.Struct({
  metadata: ObjectMeta,
  data: Data.annotate({ description: "What goes into the image, and its tag." }),
  status: optional(Status.annotate({ description: "The current state; written by the functions only." }))
}).annotate({
  description: "An image of Nix packages, built in the cluster and served by its image registry."
})
export type NixImage = typeof NixImage.Type

export const nixImages = defineKind<NixImage>({
  apiVersion: "k8s.nixos.org/v1",
  kind: "NixImage",
  plural: "niximages",
  namespaced: true,
  selectableFields: ["data.tag"],
  schema: NixImage,
  initialStatus: { status: "BuildPending", conditions: [pending] },
  custom: {
    singular: "niximage",
    shortNames: ["ni"],
    columns: [
      { name: "Version", type: "string", jsonPath: ".data.tag" },
      { name: "Status", type: "string", jsonPath: ".status.status" },
      { name: "Message", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].message', isWide: true },
      { name: "Held Name", type: "string", jsonPath: ".status.holds", isWide: true },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", isWide: true }
    ]
  }
})

/** The name and tag that the image wants in the registry; its namespace in front makes the one that it has anyway. */
export const wantedNameOf = ({ data, metadata }: Pick<NixImage, "data" | "metadata">): string =>
  `${data.name ?? metadata.name}:${data.tag}`

/** The same behind its namespace: nobody else can have it. */
export const ownNameOf = (image: Pick<NixImage, "data" | "metadata">): string =>
  `${image.metadata.namespace}/${wantedNameOf(image)}`

/**
 * | systems                     | Stalled | word         |
 * |-----------------------------|---------|--------------|
 * | all Built                   |         | Built        |
 * | not all                     | True    | Failed       |
 * | one is Building or Built    |         | Building     |
 * | otherwise                   |         | BuildPending |
 */
export const phaseOf = (systems: ReadonlyArray<SystemStatus>, conditions: ReadonlyArray<Condition>): Phase => {
  if (systems.length > 0 && systems.every(({ status }) => status === "Built")) return "Built"
  if (isTrue(conditions, "Stalled")) return "Failed"
  return systems.some(({ status }) => status === "Building" || status === "Built") ? "Building" : "BuildPending"
}
