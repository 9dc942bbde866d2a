/** From a NixBuild to Succeeded, when all of it is new and when nothing is, against the same steps run bare. */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { flakesUrl, flakeUrl, kubectl, makeNamespace } from "../test/cluster/kubectl.ts"
import { watch } from "../test/cluster/watch.ts"
import { makeBare } from "./bare.ts"
import { jobsAreGone, timeBuild } from "./cluster.ts"
import type { Row } from "./row.ts"

const rounds = 7
const ns = "bench-builds"

/** Serves as many revisions of the flake as there are builds of something new. */
const makeRevisions = Effect.fnUntraced(function* (count: number) {
  const assemble = ["sh", "/tmp/flakes/assemble.sh", "/tmp/www", flakesUrl, String(count)]
  yield* kubectl("exec", "-n", "enbi-flakes", "deployment/flakes", "--", "busybox", ...assemble)
})

export const buildRows = Effect.fn("buildRows")(function* (builderImage: string) {
  yield* makeNamespace(ns)
  // The first two are those of the tests; the first round is thrown away.
  yield* makeRevisions(2 + 2 * (rounds + 1))
  const bare = yield* makeBare(builderImage)
  const changes = yield* watch(nixBuilds)
  const ours = Effect.fnUntraced(function* (name: string, revision: number) {
    const millis = yield* timeBuild({ namespace: ns, name }, { flakeUrl: flakeUrl(`images-${revision}`) }, changes)
    yield* jobsAreGone(ns)
    return millis
  })
  const bareSteps = Effect.fnUntraced(function* (name: string, revision: number) {
    const uid = { NIXBUILD_UID: randomUUID() }
    const built = yield* bare.build({ ...uid, FLAKE_URL: flakeUrl(`images-${revision}`) })
    const imported = yield* bare.import({ ...uid, IMAGE_TAG: `registry.invalid/bench-bare/${name}:1` })
    const jobs = yield* bare.emptyJobs
    yield* jobsAreGone(ns)
    return built.millis + imported.millis + jobs
  })
  const found: Array<{ readonly [K in "new" | "newBare" | "same" | "sameBare"]: number }> = []
  for (let round = 0; round <= rounds; round++) {
    const revision = 3 + 2 * round
    found.push({
      new: yield* ours(`new-${round}`, revision),
      newBare: yield* bareSteps(`new-${round}`, revision + 1),
      same: yield* ours(`same-${round}`, revision),
      sameBare: yield* bareSteps(`same-${round}`, revision + 1)
    })
  }
  const measured = found.slice(1)
  const ceiling = { of: "ratio", most: 1.3 } as const
  const rows: ReadonlyArray<Row> = [
    {
      what: "NixBuild → Succeeded, new revision; bare steps and two empty Jobs",
      unit: "ms",
      ours: measured.map((one) => one.new),
      bare: measured.map((one) => one.newBare),
      ceiling
    },
    {
      what: "NixBuild → Succeeded, nothing changed; bare steps and two empty Jobs",
      unit: "ms",
      ours: measured.map((one) => one.same),
      bare: measured.map((one) => one.sameBare),
      ceiling
    }
  ]
  return rows
}, Effect.scoped)
