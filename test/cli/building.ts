/** A cluster in memory that builds what `enbi` asks for, step by step. */
import { Effect } from "effect"
import type { Stored } from "../../lib/memory/objects.ts"
import { readJob } from "../memory/job.ts"
import type { Stage } from "../memory/story.ts"
import { leadingTo } from "./cluster.ts"
import { linesOf, undisturbed } from "./recording.ts"
import type { Printed } from "./run.ts"

const builderLog = `fetching github:a/b
evaluating packages.x86_64-linux.good of github:a/b/0123
building /nix/store/x-good.drv
fetching 1 of 1: /nix/store/z-base
1 of 2: building '/nix/store/y-layer.drv'
gcc -c hello.c
2 of 2: building '/nix/store/x-good.drv'
reading the image from /nix/store/x-good
image sha256:${"a".repeat(64)} is ready to be imported
`

/** `asked` gets what is asked of each log. */
export const clusterOf = ({ api }: Pick<Stage, "api">, asked: Array<string> = []) =>
  leadingTo(api, { log: (words) => (asked.push(words), builderLog) })

const buildJobsIn = ({ api }: Stage): ReadonlyArray<Stored> =>
  [...api.objects.objects.values()].filter((object) => object.kind === "Job" && readJob(object).step === "build")

/** As far as the build Job that comes next. */
export const untilBuildJob = Effect.fnUntraced(function* (stage: Stage) {
  const before = buildJobsIn(stage).length
  yield* stage.first.deliverAll
  while (buildJobsIn(stage).length === before) {
    yield* stage.world.tick
    yield* stage.first.deliverAll
  }
})

/** All of it, each step once the one before it was told. */
export const build = (stage: Stage) =>
  Effect.fnUntraced(function* (printed: Printed) {
    yield* printed("is created")
    yield* untilBuildJob(stage)
    yield* printed("JobCreated")
    yield* stage.world.tick
    yield* printed("is ready to be imported")
    yield* undisturbed(stage)
  })

/** Without what differs from run to run. */
export const shortened = (out: string) => linesOf(out).map((line) => line.replace(/[0-9a-f]{10,}/g, "#"))
