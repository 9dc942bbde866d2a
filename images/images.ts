/** The images of the functions and of the builder in Docker, made from this checkout. */
import { Effect, Path } from "effect"
import { bundle } from "./bundle.ts"
import { CommandFailed, output } from "../tools/command.ts"

/** Their references, whose tags are hashes of what went in. */
export interface Images {
  readonly functions: string
  readonly builder: string
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
  if (functions === undefined || builder === undefined) {
    return yield* new CommandFailed({ message: `images/build.sh named no images: ${text}` })
  }
  return { functions, builder }
})
