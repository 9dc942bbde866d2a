/** All commands. */
import { Command } from "effect/cli"
import { build } from "./build.ts"
import { decisions } from "./decisions.ts"
import { events } from "./events.ts"
import { Kubectl } from "./kubectl.ts"
import { logs } from "./logs.ts"
import { root } from "./root.ts"

export const enbi = root.pipe(
  Command.withSubcommands([build, logs, decisions, events]),
  Command.provide(({ context }) => Kubectl.layer(context))
)
