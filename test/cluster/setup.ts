/** Brings up the cluster before the first test and tells all tests where it is. */
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import type { TestProject } from "vitest/node"
import { bringUp } from "./bring-up.ts"

declare module "vitest" {
  export interface ProvidedContext {
    kubeconfig: string
    builderImage: string
  }
}

// Two projects have it as their set-up, one after the other, and the cluster is one.
export default ({ vitest }: TestProject) =>
  Effect.runPromise(
    Effect.gen(function* () {
      if (vitest.getRootProject().getProvidedContext().kubeconfig !== undefined) return
      const { builderImage, kubeconfig } = yield* bringUp
      vitest.provide("kubeconfig", kubeconfig)
      vitest.provide("builderImage", builderImage)
    }).pipe(Effect.provide(NodeServices.layer))
  )
