/**
 * The removal Job's program: removes the cache volume of a namespace that is
 * gone from its node. Done again, it finds nothing to do.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { mountPaths } from "../../lib/nixbuild/job-contract.ts"
import { volumeName } from "../settings.ts"
import { removeVolume } from "./volume.ts"

Effect.gen(function* () {
  yield* removeVolume({ volumes: mountPaths.volumes, name: yield* volumeName })
}).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
