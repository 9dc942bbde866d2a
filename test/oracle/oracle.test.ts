/**
 * Images that containerd takes, we take, and what it refuses we refuse: the
 * archives of the corpus, each with one property, go through our converter and
 * through containerd's own import, unpacking and reading of the configuration.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer, Schema } from "effect"
import { posix } from "node:path"
import { inject } from "vitest"
import { output } from "../../tools/command.ts"
import { convert } from "../../lib/oci/layout.ts"
import { openLayout } from "../../lib/oci/open-layout.ts"
import { configurations } from "./configurations.ts"
import { dockerArchives } from "./docker-archives.ts"
import { layers } from "./layers.ts"
import { ociArchives } from "./oci-archives.ts"
import { packings } from "./packings.ts"
import type { Row } from "./row.ts"

const corpus = [...configurations, ...dockerArchives, ...packings, ...ociArchives, ...layers]

const Answers = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      archive: Schema.String,
      refused: Schema.String,
      images: Schema.Array(Schema.Struct({ config: Schema.String, refused: Schema.String }))
    })
  )
)
type Answer = (typeof Answers)["Type"][number]

/** The corpus on disk, and what containerd says of each archive. */
class Oracle extends Context.Service<
  Oracle,
  { readonly directory: string; readonly answers: ReadonlyMap<string, Answer> }
>()("enbi/test/Oracle") {
  static readonly layer = Layer.effect(
    Oracle,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.realPath(yield* fs.makeTempDirectoryScoped())
      yield* Effect.forEach(corpus, (row, index) => write(`${directory}/${index}`, row), { discard: true })
      const answers = new Map<string, Answer>()
      for (const architecture of new Set(corpus.map((row) => row.architecture ?? "amd64"))) {
        const paths = corpus.flatMap(({ architecture: own = "amd64" }, index) =>
          own === architecture ? [`${directory}/${index}`] : []
        )
        const text = yield* output({ command: inject("containerdOracle"), args: [`linux/${architecture}`, ...paths] })
        for (const answer of yield* Schema.decodeEffect(Answers)(text)) answers.set(answer.archive, answer)
      }
      return { directory, answers }
    })
  )
}

const write = Effect.fnUntraced(function* (path: string, { archive }: Row) {
  const fs = yield* FileSystem.FileSystem
  const made = yield* archive
  if (made instanceof Uint8Array) return yield* fs.writeFile(path, made)
  for (const [name, content] of made) {
    yield* fs.makeDirectory(posix.dirname(`${path}/${name}`), { recursive: true })
    yield* fs.writeFile(`${path}/${name}`, Buffer.from(content))
  }
})

/** Why containerd does not take the archive, empty if it does. */
const refusalOf = ({ images, refused }: Answer) =>
  refused === ""
    ? images.length === 0
      ? "no image for the platform"
      : images.map((image) => image.refused).join("")
    : refused

layer(Oracle.layer.pipe(Layer.provideMerge(NodeServices.layer)), { timeout: "3 minutes" })(
  "containerd and we agree",
  (it) => {
    it.effect("on whether there is anything to agree on", () =>
      Effect.gen(function* () {
        const { answers } = yield* Oracle
        const refused = [...answers.values()].filter((answer) => refusalOf(answer) !== "").length
        assert.isAbove(refused, 60)
        assert.isAbove(answers.size - refused, 60)
        assert.lengthOf(new Set(corpus.map(({ name }) => name)), corpus.length)
      })
    )

    it.effect("by the containerd of the kind node", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const versionIn = Effect.fnUntraced(function* (path: string) {
          return /containerd\/v2 (v\S+)/u.exec(yield* fs.readFileString(path))?.[1]
        })
        const asked = yield* versionIn("test/oracle/containerd/go.mod")
        assert.match(asked ?? "", /^v2\./u)
        assert.strictEqual(asked, yield* versionIn("kind/node-image/tools/go.mod"))
      })
    )

    for (const [index, row] of corpus.entries()) {
      it.effect(row.because === undefined ? row.name : `${row.name}: we say no, because ${row.because}`, () =>
        Effect.gen(function* () {
          const { answers, directory } = yield* Oracle
          const archive = `${directory}/${index}`
          const answer = answers.get(archive) ?? assert.fail("containerd said nothing")
          const theirs = refusalOf(answer)
          const ours = yield* Effect.match(
            convert({ archive, layout: `${archive}-layout`, architecture: row.architecture ?? "amd64" }),
            { onFailure: (failure) => failure, onSuccess: () => undefined }
          )
          const says = `containerd: ${theirs === "" ? "takes it" : theirs}; we: ${ours?.message ?? "take it"}`
          assert.strictEqual(ours === undefined, theirs === "" && row.because === undefined, says)
          if (row.because !== undefined) assert.strictEqual(theirs, "", says)
          if (ours === undefined) {
            const layout = yield* openLayout(`${archive}-layout`)
            assert.strictEqual(layout.config.digest, answer.images[0]?.config)
            return
          }
          const code = "code" in ours ? ours.code : "none"
          const allowed = ["NotAnImage", "WrongArchitecture", "ForbiddenContent", "ImageTooLarge"]
          assert.include(allowed, code, says)
          if (row.because === undefined && row.names === undefined) assert.fail(`Say what the message names: ${says}`)
          if (row.names !== undefined) assert.match(ours.message, row.names)
        })
      )
    }
  }
)
