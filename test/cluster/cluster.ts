/** What the cluster tests share: the way to the cluster that `setup.ts` brought up. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { inject } from "vitest"
import { Kubeconfig, layer } from "./kubectl.ts"

export * from "./kubectl.ts"

const kubeconfig = Layer.effect(
  Kubeconfig,
  Effect.sync(() => inject("kubeconfig"))
)

export const services = layer.pipe(Layer.provideMerge(kubeconfig), Layer.provideMerge(NodeServices.layer))

export const builderImage = inject("builderImage")
