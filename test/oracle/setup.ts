/** Builds the program that asks containerd, before the first test, and tells the tests where it is. */
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import type { TestProject } from "vitest/node"
import { output } from "../../tools/command.ts"

declare module "vitest" {
  export interface ProvidedContext {
    containerdOracle: string
  }
}

export default (project: TestProject) =>
  Effect.runPromise(
    output({ command: "bash", args: ["test/oracle/build.sh"] }).pipe(
      Effect.tap((path) => Effect.sync(() => project.provide("containerdOracle", path.trim()))),
      Effect.asVoid,
      Effect.provide(NodeServices.layer)
    )
  )
