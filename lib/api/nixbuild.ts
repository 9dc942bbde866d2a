/**
 * NixBuild (`enbi.hrzn.ee/v1alpha1`): one package of a flake, wanted as an
 * image under a tag. `npm run generate` makes `crds/nixbuilds.yaml` of this
 * file; every `description` here is what `kubectl explain` prints.
 */
import { Effect, Schema } from "effect"
import { retryAnnotation } from "./annotations.ts"
import { Condition, pending, Phase } from "./nixbuild-condition.ts"
import { Reason } from "./reasons.ts"
import { isFalse, isTrue } from "../kubernetes/condition.ts"
import { flakeUrlRules, formRules, imageTagRules, immutable, packageNameRules, rulesOf } from "./nixbuild-rules.ts"
import { defineKind, ObjectMeta } from "../kubernetes/kind.ts"
import { ImageRequest } from "./image-request.ts"
import { once } from "../once.ts"
import { systems } from "./system.ts"

const optional = Schema.optionalKey

export const System = Schema.Literals(systems)
export type System = typeof System.Type

const Quantities = Schema.Record(Schema.String, Schema.Union([Schema.Int, Schema.String]))

export const Resources = Schema.Struct({
  limits: optional(
    Quantities.annotate({
      description: "The most that the build may use, by resource name (cpu, memory). Absent: no limit."
    })
  ),
  requests: optional(
    Quantities.annotate({
      description: "What the node must have free for the build, by resource name. Absent: the same as limits."
    })
  )
})

export const TimeoutSeconds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 604_800 }))

export const Spec = Schema.Struct({
  flakeUrl: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2048)).annotate({
    description:
      "Where the flake is: a Nix flake reference that starts with github:, gitlab:, sourcehut:, git+https:, git+ssh:, https: or tarball+https: (http: where the cluster allows it). It may carry ?rev= with 40 or 64 hex digits, ?ref=, ?dir= and ?narHash=. Without a rev, it is resolved once, when the NixBuild is created, and again when the annotation enbi.hrzn.ee/retry requests another attempt after a failure. status.lockedUrl shows the result, which every node builds. Immutable.",
    "x-kubernetes-validations": [...rulesOf(flakeUrlRules), immutable]
  }),
  imageTag: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(384)).annotate({
    description:
      "The full name that the image gets in containerd: [registry/]repository:tag, as Pods write it under image. It belongs to the first namespace that asks for it. Another namespace may use it too if its own build gives the same image; while both use the tag, neither can put another image under it. Names under docker.io/library and registry.k8s.io, and those of pause images, are reserved. The Namespace annotation enbi.hrzn.ee/tag-prefixes, a list separated by blanks, limits the namespace to names with these prefixes. The name inside the archive is ignored. Immutable.",
    "x-kubernetes-validations": [...rulesOf(imageTagRules), immutable]
  }),
  packageName: optional(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(512)).annotate({
      description:
        "Which package of the flake: the attribute below packages.<system>; dots separate nested attributes (chog-docker.stream-layered). If the package has several outputs, the one that nix build takes is used, or the one named after ^ (app^image). It must give a Docker or OCI archive, plain or gzip, or a script that streams one to its standard output (dockerTools.streamLayeredImage). Either this or image. Immutable.",
      "x-kubernetes-validations": [...rulesOf(packageNameRules), immutable]
    })
  ),
  image: optional(
    ImageRequest.annotate({
      description:
        "Packages to make an image of, instead of a package that is one: flakeUrl is then the package set, a flake with legacyPackages. Either this or packageName. Immutable.",
      "x-kubernetes-validations": [immutable]
    })
  ),
  delivery: optional(
    Schema.Literals(["Nodes", "Registry"]).annotate({
      description:
        "Where the image goes. Nodes (the default): into the containerd of each node that wants it. Registry: into the image registry of enbi-functions, which nodes pull from. Immutable.",
      "x-kubernetes-validations": [immutable]
    })
  ),
  system: System.annotate({
    description:
      "The Nix system to build for. Only nodes with the matching label kubernetes.io/arch build it. Immutable.",
    "x-kubernetes-validations": [immutable]
  }),
  nodes: Schema.Array(Schema.String.check(Schema.isMaxLength(253)))
    .check(Schema.isMaxLength(5000))
    .annotate({
      description:
        "Names of the nodes that want the image. pod-failure-detector adds the nodes where Pods wait for it. Empty (the default): the scheduler picks one.",
      default: [],
      "x-kubernetes-list-type": "set"
    })
    .pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  timeoutSeconds: TimeoutSeconds.annotate({
    description:
      "How long one build may take, in seconds, including fetching and evaluating. A longer one fails with TimedOut. 1 to 604800 (a week), default 3600.",
    default: 3600
  }).pipe(Schema.withDecodingDefaultKey(Effect.succeed(3600))),
  ttlSecondsAfterFinished: optional(
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_147_483_647 })).annotate({
      description:
        "How many seconds after Complete became True the NixBuild is deleted: 0 (at once) to 2147483647. It is kept longer while a Pod waits for its image or a node has yet to get it. Absent: it is kept; of the NixBuilds that Pods asked for, only the newest are (settings SUCCESSFUL_BUILDS_HISTORY_LIMIT and FAILED_BUILDS_HISTORY_LIMIT)."
    })
  ),
  resources: optional(
    Resources.annotate({
      description: "CPU and memory of the build container, as in a Pod. Absent: neither requests nor limits."
    })
  ),
  sandbox: Schema.Boolean.annotate({
    description:
      "Whether Nix's sandbox is on: builds then see neither the network nor the Pod. It needs a Pod that the Baseline Pod security level rejects. Default true. With false, the Restricted level admits the Pod, and builds can reach the network.",
    default: true
  }).pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
}).annotate({ "x-kubernetes-validations": formRules })
export type Spec = typeof Spec.Type

// A URL of the spec, with the revision and the hash that it was locked to.
export const maxUrlLength = 2500
export const maxLockedInputs = 32
export const maxNameLength = 256

export const LockedInput = Schema.Struct({
  name: Schema.String.check(Schema.isMaxLength(maxNameLength)).annotate({
    description: "The input's name. A nested input is written with slashes: input/inner."
  }),
  url: Schema.String.check(Schema.isMaxLength(maxUrlLength)).annotate({
    description: "Its flake reference, with revision or hash."
  })
})
export type LockedInput = typeof LockedInput.Type

export const NodeStatus = Schema.Struct({
  name: Schema.String.annotate({ description: "The node's name." }),
  attempt: Schema.Int.annotate({
    description: "Number of the attempt to bring the image to this node that this entry describes; the first is 1."
  }),
  reason: Reason.annotate({
    description:
      "ImagePulled when the node has the image, ImagePublished when the registry has it (delivery Registry), otherwise why not. If retryTime is set: why the previous attempt failed."
  }),
  digest: optional(Schema.String.annotate({ description: "sha256 of the image's index on this node." })),
  importedTime: optional(
    Schema.String.annotate({
      description: "When the image was imported into containerd, or with delivery Registry published, RFC 3339.",
      format: "date-time"
    })
  ),
  wokenTime: optional(
    Schema.String.annotate({
      description: "When the Pods that wait on this node were last triggered to pull again, RFC 3339.",
      format: "date-time"
    })
  ),
  retryTime: optional(
    Schema.String.annotate({ description: "When this attempt starts, RFC 3339. Absent: at once.", format: "date-time" })
  ),
  retries: optional(Schema.Int.annotate({ description: "Number of automatic retries in a row." })),
  message: optional(
    Schema.String.annotate({ description: "What prevents the attempt from starting, as reported by Kubernetes." })
  ),
  waits: optional(
    Schema.Int.annotate({
      description:
        "How many times in a row the attempt could not start; 0 while it tests whether an obstacle that stopped another NixBuild is gone."
    })
  )
})
export type NodeStatus = typeof NodeStatus.Type

export const Failure = Schema.Struct({
  reason: Reason.annotate({ description: "Why, as one of the words in docs/reasons.md." }),
  message: Schema.String.annotate({ description: "What happened and what to do, as sentences." }),
  log: optional(Schema.String.annotate({ description: "The last lines of the log, at most 2 KiB." }))
})
export type Failure = typeof Failure.Type

export const Status = Schema.Struct({
  observedGeneration: optional(
    Schema.Int.annotate({
      description:
        "The metadata.generation that this status describes. If it is older than the object's, the status is out of date."
    })
  ),
  status: optional(Phase.annotate({ description: "Pending, Scheduled, Building, Importing, Succeeded or Failed." })),
  buildNode: optional(Schema.String.annotate({ description: "The node that builds." })),
  settled: optional(
    Schema.Boolean.annotate({
      description:
        "True once nothing is left to do: the build failed, or every node that wants the image has it or will not get it. Absent: work is left. kubectl get nixbuilds --field-selector status.settled!=true lists the NixBuilds with work left."
    })
  ),
  scheduledNodes: optional(
    Schema.Array(Schema.String).annotate({
      description:
        "The nodes on which the build has a slot. scheduler adds a node; it is removed when the attempt there ends or is cancelled.",
      "x-kubernetes-list-type": "set"
    })
  ),
  buildJobName: optional(Schema.String.annotate({ description: "The build Job on that node, in this namespace." })),
  imageDigest: optional(
    Schema.String.annotate({ description: "sha256 of the image's index: what the tag names in containerd." })
  ),
  imageConfigDigest: optional(
    Schema.String.annotate({ description: "sha256 of the image's configuration: what CRI calls the image ID." })
  ),
  imageSize: optional(Schema.Int.annotate({ description: "Size of the image as CRI counts it, in bytes." })),
  lockedUrl: optional(
    Schema.String.check(Schema.isMaxLength(maxUrlLength)).annotate({
      description:
        "What spec.flakeUrl was resolved to: the one source of this NixBuild, on every node and at every attempt."
    })
  ),
  lockedInputs: optional(
    Schema.Array(LockedInput)
      .check(Schema.isMaxLength(maxLockedInputs))
      .annotate({
        description:
          "The inputs that flake.lock does not lock, and what each was resolved to. Absent: flake.lock locks all inputs.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"]
      })
  ),
  storePath: optional(Schema.String.annotate({ description: "The package's store path in the cache of buildNode." })),
  attempt: optional(
    Schema.Int.annotate({ description: "Number of the attempt that this status describes; the first is 1." })
  ),
  retryTime: optional(
    Schema.String.annotate({
      description: "When the attempt starts or started, RFC 3339. Absent: at once.",
      format: "date-time"
    })
  ),
  handledRetry: optional(
    Schema.String.annotate({ description: "The last value of the annotation enbi.hrzn.ee/retry that was handled." })
  ),
  nodes: optional(
    Schema.Array(NodeStatus).annotate({
      description: "State of each node that wants the image.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"]
    })
  ),
  failure: optional(Failure.annotate({ description: "Why the build failed; absent when it did not." })),
  conditions: optional(
    Schema.Array(Condition).annotate({
      description:
        "Scheduled: a node was chosen. Launched: the build Job exists. Success: the build gave an image. Complete: the build has ended, successfully or not; only a requested retry resets this. Ready: the image is on a node that wants it; otherwise the message says how far it is or what prevents it. Stalled: it cannot continue until a person changes something.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"]
    })
  )
})
export type Status = typeof Status.Type

export const NixBuild = Schema.Struct({
  metadata: ObjectMeta,
  spec: Spec.annotate({ description: "What to build, and who wants it." }),
  status: optional(Status.annotate({ description: "The current state; written by the functions only." }))
}).annotate({
  description:
    "One package of a Nix flake, built on a node of the right architecture and put into that node's containerd under a tag."
})
export type NixBuild = typeof NixBuild.Type

export const nixBuilds = defineKind<NixBuild>({
  apiVersion: "enbi.hrzn.ee/v1alpha1",
  kind: "NixBuild",
  plural: "nixbuilds",
  namespaced: true,
  selectableFields: ["status.settled"],
  schema: NixBuild,
  initialStatus: { conditions: [pending] },
  custom: {
    singular: "nixbuild",
    shortNames: ["nb"],
    columns: [
      { name: "Image Tag", type: "string", jsonPath: ".spec.imageTag" },
      { name: "System", type: "string", jsonPath: ".spec.system" },
      { name: "Status", type: "string", jsonPath: ".status.status" },
      { name: "Build Node", type: "string", jsonPath: ".status.buildNode" },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      { name: "Reason", type: "string", jsonPath: ".status.failure.reason", isWide: true },
      {
        name: "Ready",
        type: "string",
        jsonPath: '.status.conditions[?(@.type=="Ready")].message',
        isWide: true
      },
      { name: "Digest", type: "string", jsonPath: ".status.imageDigest", isWide: true },
      {
        name: "Size",
        type: "integer",
        jsonPath: ".status.imageSize",
        isWide: true,
        description: "In bytes, as CRI counts."
      },
      { name: "Package", type: "string", jsonPath: ".spec.packageName", isWide: true }
    ]
  }
})

/** What is built of the flake, in words: a package that is an image, or the packages that one is made of. */
export const packageOf = ({ spec }: Pick<NixBuild, "spec">): string =>
  spec.packageName ?? spec.image?.contents.join(" ") ?? ""

export const conditionsOf = (build: NixBuild): ReadonlyArray<Condition> => build.status?.conditions ?? []

/** The nodes that the image goes to: where it is built, and who asked for it. */
export const wantedNodes = (build: NixBuild): ReadonlyArray<string> => [
  ...new Set([...(build.status?.buildNode === undefined ? [] : [build.status.buildNode]), ...build.spec.nodes])
]

/** The build itself failed, so no node will get the image; a failed import speaks for its own node only. */
export const hasFailed = (build: NixBuild): boolean => isFalse(conditionsOf(build), "Success")

// There may be thousands of nodes, and most questions are asked of each.
const byName = once((nodes: ReadonlyArray<NodeStatus>) => new Map(nodes.map((node) => [node.name, node])))
const asSet = once((names: ReadonlyArray<string>) => new Set(names))

export const nodeStatusOf = (build: NixBuild, name: string): NodeStatus | undefined =>
  build.status?.nodes === undefined ? undefined : byName(build.status.nodes).get(name)

/** The entries of the status, with these in place of what it said of the same nodes. */
export const mergeNodes = (build: NixBuild, news: ReadonlyArray<NodeStatus>): ReadonlyArray<NodeStatus> => {
  const names = new Set(news.map(({ name }) => name))
  return [...(build.status?.nodes ?? []).filter(({ name }) => !names.has(name)), ...news]
}

/** The wanted nodes that may still get the image. A node that cannot build may become able to. */
export const unsettledNodes = (build: NixBuild): ReadonlyArray<string> =>
  wantedNodes(build).filter((name) => isUnsettled(nodeStatusOf(build, name)))

/** Whether this node wants the image and it is still open whether it gets it. */
export const isUnsettledOn = (build: NixBuild, name: string): boolean =>
  (name === build.status?.buildNode || asSet(build.spec.nodes).has(name)) && isUnsettled(nodeStatusOf(build, name))

const isUnsettled = (node: NodeStatus | undefined): boolean =>
  node === undefined || node.reason === "NoMatchingNode" || node.retryTime !== undefined || node.waits !== undefined

/** The value of the annotation by which a person requests the next attempt, until that has started. */
export const askedRetryOf = ({ metadata, status }: NixBuild): string | undefined => {
  const asked = metadata.annotations?.[retryAnnotation]
  return asked === status?.handledRetry ? undefined : asked
}

/** Until it has failed, or every node that wants the image has it, and the status is about the newest generation. */
export const isOpen = (build: NixBuild): boolean =>
  build.status?.observedGeneration !== build.metadata.generation ||
  !isTrue(conditionsOf(build), "Complete") ||
  askedRetryOf(build) !== undefined ||
  (!hasFailed(build) && unsettledNodes(build).length > 0)

/** Which attempt at bringing the image to this node is under way, or was the last. */
export const attemptOn = (build: NixBuild, name: string): number =>
  Math.max(name === build.status?.buildNode ? (build.status.attempt ?? 1) : 1, nodeStatusOf(build, name)?.attempt ?? 1)

/** The attempt that the entry's reason is about: if another one is due, the one before that. */
export const endedAttempt = ({ attempt, retryTime }: NodeStatus): number =>
  retryTime === undefined ? attempt : attempt - 1

/** Whether the next attempt has to wait: RFC 3339 in UTC sorts as text. */
export const isWaitingForRetry = (status: { readonly retryTime?: string } | undefined, time: string): boolean =>
  status?.retryTime !== undefined && status.retryTime > time
