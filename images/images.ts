/** The images of this project in Docker, made from this checkout. */
import { Effect, Path } from "effect"
import { bundle } from "./bundle.ts"
import { CommandFailed, output } from "../tools/command.ts"

/** Their references, whose tags are hashes of what went in. */
export interface Images {
  readonly functions: string
  readonly builder: string
  /** Leads nodes to the image registry. */
  readonly proxy: string
  /** Stands for Distribution's own, which a kind cluster can't always pull. */
  readonly distribution: string
}

export const buildImages = Effect.gen(function* () {
  const path = yield* Path.Path
  const root = yield* path.fromFileUrl(new URL("../", import.meta.url))
  yield* bundle(root)
  const text = yield* output({ command: "bash", args: [path.join(root, "images/build.sh")] })
  const valueOf = (key: string) =>
    text
      .split("\n")
      .find((line) => line.startsWith(`${key}=`))
      ?.slice(key.length + 1)
  const functions = valueOf("FUNCTIONS_IMAGE")
  const builder = valueOf("BUILDER_IMAGE")
  const proxy = valueOf("PROXY_IMAGE")
  const distribution = valueOf("DISTRIBUTION_IMAGE")
  if (functions === undefined || builder === undefined || proxy === undefined || distribution === undefined) {
    return yield* new CommandFailed({ message: `images/build.sh named no images: ${text}` })
  }
  const images: Images = { functions, builder, proxy, distribution }
  return images
})
