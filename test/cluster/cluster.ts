/** What the cluster tests share: kubectl on the cluster that `setup.ts` brought up. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { inject } from "vitest"
import { Kubeconfig } from "./kubectl.ts"
import { watching } from "./watch.ts"

export * from "./kubectl.ts"

export const services = Layer.merge(
  NodeServices.layer,
  Layer.effect(
    Kubeconfig,
    Effect.sync(() => inject("kubeconfig"))
  )
)

export const watchingServices = watching.pipe(Layer.provideMerge(services))

export const builderImage = inject("builderImage")
