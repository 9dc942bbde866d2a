/** All commands. */
import { Command } from "effect/cli"
import { decisions } from "./decisions.ts"
import { Kubectl } from "./kubectl.ts"
import { root } from "./root.ts"

export const enbi = root.pipe(
  Command.withSubcommands([decisions]),
  Command.provide(({ context }) => Kubectl.layer(context))
)
