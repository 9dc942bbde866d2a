/** All commands. */
import { Command } from "effect/cli"
import { decisions } from "./decisions.ts"
import { events } from "./events.ts"
import { Kubectl } from "./kubectl.ts"
import { root } from "./root.ts"

export const enbi = root.pipe(
  Command.withSubcommands([decisions, events]),
  Command.provide(({ context }) => Kubectl.layer(context))
)
