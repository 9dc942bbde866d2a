/** All commands. */
import { Command } from "effect/cli"
import { build } from "./build.ts"
import { decisions } from "./decisions.ts"
import { events } from "./events.ts"
import { Kubernetes } from "./kubernetes.ts"
import { logs } from "./logs.ts"
import { root } from "./root.ts"

export const enbi = root.pipe(
  Command.withSubcommands([build, logs, decisions, events]),
  Command.provide(({ context }) => Kubernetes.layer(context))
)
