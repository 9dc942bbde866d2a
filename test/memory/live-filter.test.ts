/** A build Job knows which NixBuilds its namespace has, its own among them: else nothing is ever removed from a cache. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { nixBuildUidLabel } from "../../lib/api/annotations.ts"
import { readFilter } from "../../lib/nixbuild/uid-filter.ts"
import { namespace, nixBuild, node } from "./given.ts"
import { readJob } from "./job.ts"
import { play, round } from "./story.ts"

const build = (name: string, of = "apps") =>
  nixBuild({ name, namespace: of, nodes: ["one"], image: `reg.io/${name}:1`, packageName: "good" })

it.effect("each build Job is told of all NixBuilds of its namespace and of no others", () =>
  play({
    given: [namespace("apps"), namespace("other"), node("one"), build("a"), build("b"), build("c", "other")],
    happens: (stage) =>
      Effect.gen(function* () {
        const all = () => [...stage.api.objects.objects.values()]
        const jobs = () => all().filter((object) => object.kind === "Job" && readJob(object).step === "build")
        for (let count = 0; jobs().length < 3; count += 1) {
          assert.isBelow(count, 20, "there never are three")
          yield* round(stage)
        }
        const builds = all().filter(({ kind }) => kind === "NixBuild")
        for (const job of jobs()) {
          const has = readFilter(
            readJob(job).valueOf("LIVE_FILTER") ?? "",
            job.metadata.labels?.[nixBuildUidLabel] ?? ""
          )
          assert.deepStrictEqual(
            builds.filter(({ metadata }) => has(metadata.uid)).map(({ metadata }) => metadata.name),
            builds
              .filter(({ metadata }) => metadata.namespace === job.metadata.namespace)
              .map(({ metadata }) => metadata.name)
          )
        }
      })
  })
)
