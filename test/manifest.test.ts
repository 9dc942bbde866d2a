/** What is no Kubernetes object is a compile error: `tsc` fails here when one of these mistakes passes. */
import type { V1NetworkPolicy, V1Pod } from "@kubernetes/client-node"
import { assert, it } from "@effect/vitest"
import { manifest } from "../lib/kubernetes/manifest.ts"

const pod = manifest<V1Pod>()
const containers = [{ name: "a", image: "a" }]
const isSandboxed = containers.length > 0

it("an object of Kubernetes is left as it is: times are text, and quantities may be numbers", () => {
  const object = {
    kind: "Pod" as const,
    metadata: { creationTimestamp: "2026-11-21T11:09:53Z", namespace: undefined, labels: { any: "name" } },
    spec: { containers: [{ name: "a", resources: { limits: { cpu: 1, memory: "1Gi" } } }] }
  }
  assert.strictEqual(pod(object), object)
  manifest<V1NetworkPolicy>()({ spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "::/0" } }] }] } })
})

it("a field that Kubernetes does not have fails tsc, wherever it comes from", () => {
  // @ts-expect-error hostUserz
  pod({ spec: { containers, hostUserz: false } })
  // @ts-expect-error hostUserz, by a condition
  pod({ spec: { containers, ...(isSandboxed ? { hostUserz: false } : {}) } })
  const shared = { restartPolice: "Never" }
  // @ts-expect-error restartPolice, out of what several have in common
  pod({ spec: { containers, ...shared } })
  // @ts-expect-error imag, in an item
  pod({ spec: { containers: [{ name: "a", imag: "a" }] } })
  // @ts-expect-error imag, in some items
  pod({ spec: { containers: [...containers, ...(isSandboxed ? [{ name: "b", imag: "b" }] : [])] } })
  // @ts-expect-error a number for a text
  pod({ metadata: { namespace: 1 } })
  // @ts-expect-error the containers are missing
  pod({ spec: {} })
})
