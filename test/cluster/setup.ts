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

export default (project: TestProject) =>
  Effect.runPromise(
    bringUp.pipe(
      Effect.tap(({ builderImage, kubeconfig }) =>
        Effect.sync(() => {
          project.provide("kubeconfig", kubeconfig)
          project.provide("builderImage", builderImage)
        })
      ),
      Effect.asVoid,
      Effect.provide(NodeServices.layer)
    )
  )
