/** Every kind that the functions read or write, found by its name. */
import type { Kind } from "./kind.ts"
import * as kubernetes from "./kubernetes.ts"
import { networkPolicies } from "./network-policy.ts"
import { nixBuilds } from "./nixbuild.ts"

export const kinds = {
  Event: kubernetes.events,
  Job: kubernetes.jobs,
  Lease: kubernetes.leases,
  Namespace: kubernetes.namespaces,
  NetworkPolicy: networkPolicies,
  NixBuild: nixBuilds,
  Node: kubernetes.nodes,
  PersistentVolume: kubernetes.persistentVolumes,
  PersistentVolumeClaim: kubernetes.persistentVolumeClaims,
  Pod: kubernetes.pods,
  ResourceQuota: kubernetes.resourceQuotas
} satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

export const isKindName = (name: string): name is KindName => Object.hasOwn(kinds, name)
