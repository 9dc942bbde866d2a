/** The command that all others are below, and what is common to them. */
import { Command, Flag } from "effect/cli"

export const root = Command.make("enbi").pipe(
  Command.withDescription("Build images in the cluster, and find out what its functions decided and why"),
  Command.withSharedFlags({
    context: Flag.String("context").pipe(
      Flag.withDescription("The kubeconfig's context to use instead of its current one"),
      Flag.optional
    )
  })
)
