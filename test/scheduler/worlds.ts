/** Worlds that the scheduler may see: few names, so that builds meet in tags, on nodes and behind obstacles. */
import fc from "fast-check"
import type { Condition, ConditionType } from "../../lib/api/nixbuild-condition.ts"
import type { Reason } from "../../lib/api/reasons.ts"
import type { Lease, Node } from "../../lib/kubernetes/kinds.ts"
import type { NixBuild, NodeStatus } from "../../lib/api/nixbuild.ts"
import type { Observed } from "../../functions/scheduler/observe.ts"

export type World = typeof Observed.Type

export const nodeOf = (name: string, more: Partial<Node["spec"]> = {}): Node => ({
  metadata: { name, uid: `n-${name}`, resourceVersion: "1", labels: { "kubernetes.io/arch": "amd64" } },
  spec: more,
  status: { conditions: [{ type: "Ready", status: "True" }] }
})

export const conditionOf = (type: ConditionType, status: Condition["status"], reason: Reason): Condition => ({
  type,
  status,
  reason,
  message: "",
  observedGeneration: 1,
  lastTransitionTime: "2026-01-01T00:00:00Z"
})

interface Wish {
  readonly index: number
  readonly namespace?: string
  readonly spec?: Partial<NixBuild["spec"]>
  readonly status?: NixBuild["status"]
}

export const buildOf = ({ index, namespace = "apps", spec, status }: Wish): NixBuild => ({
  metadata: { name: `b-${index}`, namespace, uid: `uid-${String(index).padStart(5, "0")}`, resourceVersion: "1" },
  spec: {
    flakeUrl: "github:a/b",
    imageTag: `reg.io/a-${index}:1`,
    packageName: "a",
    system: "x86_64-linux",
    nodes: [],
    timeoutSeconds: 3600,
    sandbox: true,
    ...spec
  },
  ...(status === undefined ? {} : { status })
})

export const worldOf = (of: Partial<World>): World => ({
  time: "2026-01-01T12:00:00Z",
  unfinished: [],
  delivering: [],
  succeeded: [],
  leases: [],
  nodes: [],
  maxBuildsPerNode: 2,
  nodeRepel: [],
  refusals: [],
  ...of
})

const names = ["one", "two", "three", "four"]
const nodeNames = fc.constantFrom(...names)
const time = fc.constantFrom("2026-01-01T11:00:00Z", "2026-01-01T11:30:00Z", "2026-01-01T12:00:30Z")
const nodeStatus: fc.Arbitrary<NodeStatus> = fc.record(
  {
    name: nodeNames,
    attempt: fc.constantFrom(1, 2),
    reason: fc.constantFrom<Reason>("PodUnschedulable", "PodRefused", "NoFreeSlot", "ImagePulled"),
    message: fc.constant("why"),
    retryTime: time,
    waits: fc.constantFrom(0, 1)
  },
  { requiredKeys: ["name", "attempt", "reason"] }
)

const conditions = fc.constantFrom<ReadonlyArray<Condition>>(
  [],
  [conditionOf("Scheduled", "True", "NodeFound")],
  [conditionOf("Scheduled", "True", "NodeFound"), conditionOf("Launched", "True", "JobCreated")],
  [conditionOf("Scheduled", "False", "NoFreeSlot")]
)

const status: fc.Arbitrary<NonNullable<NixBuild["status"]>> = fc.record(
  {
    conditions,
    buildNode: nodeNames,
    scheduledNodes: fc.uniqueArray(nodeNames, { maxLength: 3 }),
    retryTime: time,
    nodes: fc.uniqueArray(nodeStatus, { maxLength: 3, selector: (node) => node.name })
  },
  { requiredKeys: ["conditions", "nodes"] }
)

const build = (index: number): fc.Arbitrary<NixBuild> =>
  fc
    .record({
      namespace: fc.constantFrom("apps", "other"),
      spec: fc.record({
        flakeUrl: fc.constantFrom("github:a/b", "github:a/b?rev=1", "github:c/d"),
        imageTag: fc.constantFrom("a:1", "docker.io/library/a:1", "reg.io/b:1"),
        nodes: fc.uniqueArray(nodeNames, { maxLength: 3 }),
        sandbox: fc.boolean()
      }),
      status
    })
    .map((wish) => buildOf({ index, ...wish }))

const lease: fc.Arbitrary<Lease> = fc
  .record({
    tag: fc.constantFrom("docker.io/library/a:1", "reg.io/b:1"),
    holder: fc.constantFrom("apps", "other"),
    digests: fc.constantFrom("", "sha256:1", "sha256:1 sha256:2")
  })
  .map(({ digests, holder, tag }) => ({
    metadata: {
      name: tag,
      uid: `l-${tag}`,
      resourceVersion: "1",
      labels: { "enbi.hrzn.ee/held-by": holder },
      annotations: { "enbi.hrzn.ee/image-tag": tag, "enbi.hrzn.ee/digests-x86_64-linux": digests }
    }
  }))

const node = fc
  .record({ name: nodeNames, isCordoned: fc.boolean() })
  .map(({ isCordoned, name }) => nodeOf(name, isCordoned ? { unschedulable: true } : {}))

const builds = (from: number) =>
  fc.nat(8).chain((length) => fc.tuple(...Array.from({ length }, (_, index) => build(from + index))))

export const worlds: fc.Arbitrary<World> = fc
  .record({
    unfinished: builds(0),
    delivering: builds(10),
    succeeded: builds(20),
    leases: fc.uniqueArray(lease, { maxLength: 2, selector: ({ metadata }) => metadata.name }),
    nodes: fc.uniqueArray(node, { maxLength: 4, selector: ({ metadata }) => metadata.name }),
    maxBuildsPerNode: fc.constantFrom(1, 2)
  })
  .map(worldOf)
