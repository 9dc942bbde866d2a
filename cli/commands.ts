/** All commands. */
import { Command } from "effect/cli"
import { buildCommand } from "./build/build.ts"
import { decisions } from "./decisions/decisions.ts"
import { events } from "./events/events.ts"
import { imageCommand } from "./image/image.ts"
import { Kubernetes } from "./kubernetes.ts"
import { logs } from "./build/logs.ts"
import { root } from "./root.ts"

export const enbi = root.pipe(
  Command.withSubcommands([buildCommand, imageCommand, logs, decisions, events]),
  Command.provide(({ context }) => Kubernetes.layer(context))
)
