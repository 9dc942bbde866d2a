/**
 * What a folder below `functions/` defines: a function, which listens to
 * events, or a server, which answers a protocol and leaves decisions to
 * functions. `npm run generate` makes what runs either of this.
 */
import type { Layer } from "effect"
import type { Cluster } from "../kubernetes/cluster.ts"
import type { EnbiFunction, Permission } from "./function.ts"
import type { KubernetesApi } from "../kubernetes/connection.ts"

/** A port that a server listens on beside 8080, where it says how it is. */
export interface Port {
  readonly name: string
  readonly containerPort: number
  /** The port of its Service; by default the same. */
  readonly servicePort?: number
}

export interface Server {
  /** The folder's name, and that of its Deployment, Service and ServiceAccount. */
  readonly name: string
  readonly ports: ReadonlyArray<Port>
  /** How many Pods; by default 1. */
  readonly replicas?: number
  readonly permissions: ReadonlyArray<Permission>
  /** Environment variables that its Deployment sets, each with the value that holds where nobody changes it. */
  readonly settings?: Readonly<Record<string, string>>
  /** The folder of a kustomize Component with what its Pod needs beside it, where there is more than a program: containers, volumes. */
  readonly component?: string
  /** Answers for as long as it is built. */
  readonly layer: Layer.Layer<never, unknown, Cluster | KubernetesApi>
}

export const defineServer = (server: Server): Server => server

export type Definition = EnbiFunction<unknown> | Server

export const isServer = (definition: Definition): definition is Server => "layer" in definition

export const functionsAmong = (definitions: ReadonlyArray<Definition>): ReadonlyArray<EnbiFunction<unknown>> =>
  definitions.flatMap((definition) => (isServer(definition) ? [] : [definition]))

export const serversAmong = (definitions: ReadonlyArray<Definition>): ReadonlyArray<Server> =>
  definitions.filter(isServer)
