/** What builds may reach: what is set for the cluster, and the NetworkPolicy that holds their Pods to it. */
import type { V1NetworkPolicy } from "@kubernetes/client-node"
import { Schema } from "effect"
import { managedBy } from "../kubernetes/kinds.ts"
import { manifest } from "../kubernetes/manifest.ts"
import { behindNat64, Cidr, isAll, isOfIpv4 } from "./cidr.ts"
import { nixBuildUidLabel } from "./annotations.ts"
import { egressPolicyName } from "./names.ts"

/** `public`: all but the closed ranges; `open`: everything. */
export const BuildEgress = Schema.Literals(["public", "open"])
export type BuildEgress = typeof BuildEgress.Type
export const isBuildEgress = Schema.is(BuildEgress)

/** Where clusters have their Pods, Services and nodes, and clouds their metadata. */
export const defaultClosedCidrs: ReadonlyArray<string> = [
  "10.0.0.0/8", // RFC 1918: private, as are the next two
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10", // RFC 6598: shared
  "169.254.0.0/16", // RFC 3927: link-local
  "fc00::/7", // RFC 4193: private
  "fe80::/10" // RFC 4291, 2.5.6: link-local
]

export const ClosedCidrs = Schema.Array(Cidr).check(
  Schema.isMinLength(1, { message: "nothing is closed: leave it out for the usual ranges, or set BUILD_EGRESS=open" })
)

/** Allows the Pods of build Jobs all but the closed ranges, where they reach port 53 alone. */
export const makeEgressPolicy = ({
  closedCidrs,
  namespace
}: {
  readonly closedCidrs: ReadonlyArray<string>
  readonly namespace: string
}) => {
  const to = openBlocks(closedCidrs)
  return manifest<V1NetworkPolicy>()({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy" as const,
    metadata: { name: egressPolicyName, namespace, labels: managedBy },
    spec: {
      // As expressions, so that a patch replaces the whole of it.
      podSelector: {
        matchExpressions: [
          ...Object.entries(managedBy).map(([key, value]) => ({ key, operator: "In" as const, values: [value] })),
          { key: nixBuildUidLabel, operator: "Exists" as const }
        ]
      },
      policyTypes: ["Egress"],
      egress: [
        // The cluster's DNS is in one of the ranges.
        { ports: ["UDP", "TCP"].map((protocol) => ({ protocol, port: 53 })) },
        // A rule to nowhere would be one to everywhere.
        ...(to.length === 0 ? [] : [{ to }])
      ]
    }
  })
}

const openBlocks = (closed: ReadonlyArray<string>) => {
  const ipv4 = closed.filter(isOfIpv4)
  const ipv6 = [...closed.filter((cidr) => !isOfIpv4(cidr)), ...ipv4.map(behindNat64)]
  return [
    { cidr: "0.0.0.0/0", except: ipv4 },
    { cidr: "::/0", except: ipv6 }
  ]
    .filter(({ except }) => !except.some(isAll))
    .map(({ cidr, except }) => ({ ipBlock: except.length === 0 ? { cidr } : { cidr, except } }))
}
