/** The toys of the tests, as `functions/` would have them. */
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { functionsAmong, serversAmong } from "../../lib/runtime/definition.ts"
import { loadDefinitions } from "../../lib/runtime/load.ts"

const load = (folder: string) =>
  Effect.runPromise(loadDefinitions(new URL(folder, import.meta.url)).pipe(Effect.provide(NodeServices.layer)))

export const definitions = await load("toy/functions/")
export const ours = await load("../../functions/")
export const functions = functionsAmong(definitions)
export const servers = serversAmong(definitions)

export const greeting = (name: string, to = name) => ({
  apiVersion: "toys.example.org/v1",
  kind: "Greeting",
  metadata: { name, namespace: "apps" },
  data: { to }
})
