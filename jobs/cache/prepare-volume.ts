/**
 * The volume Job's program: makes the folders of one cache volume on its node,
 * so that build Pods, which are uid 1000 without any privilege, find a store
 * they may write. Done again, it changes nothing.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { mountPaths } from "../../lib/nixbuild/job-contract.ts"
import { volumeName } from "../settings.ts"
import { prepareVolume } from "./volume.ts"

Effect.gen(function* () {
  yield* prepareVolume({ volumes: mountPaths.volumes, name: yield* volumeName })
}).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
