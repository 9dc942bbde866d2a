/** The sentences in source files, for programs whose texts are in no recorded output. */
import { Effect, FileSystem, Option, Schema } from "effect"
import { parseSync } from "rolldown/utils"

const Text = Schema.Struct({ type: Schema.Literal("Literal"), value: Schema.String })
const Template = Schema.Struct({
  type: Schema.Literal("TemplateLiteral"),
  quasis: Schema.Array(Schema.Struct({ value: Schema.Struct({ cooked: Schema.String }) }))
})

// Fewer words are a name, a path or a flag; of more than two lines is code, and with these signs a pattern.
const isSentence = (text: string): boolean =>
  /[a-z]+( [^\s=<>]+){3}/.test(text) && text.split("\n").length < 4 && !/§|\(\?/.test(text)

/** Each string and template of a syntax tree; in a template, … is what is put in. */
const textsIn = (node: unknown): ReadonlyArray<string> => {
  if (Array.isArray(node)) return node.flatMap(textsIn)
  if (typeof node !== "object" || node === null) return []
  const own = [
    ...Option.toArray(Schema.decodeUnknownOption(Text)(node)).map(({ value }) => value),
    ...Option.toArray(Schema.decodeUnknownOption(Template)(node)).map(({ quasis }) =>
      quasis.map(({ value }) => value.cooked).join("…")
    )
  ]
  return [...own, ...Object.values(node).flatMap(textsIn)]
}

/** By file, those in the TypeScript files of a folder. */
export const sentencesOf = Effect.fn("sentencesOf")(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const paths = (yield* files.readDirectory(folder)).filter((name) => name.endsWith(".ts")).toSorted()
  return (yield* Effect.forEach(paths, (name) =>
    Effect.map(files.readFileString(`${folder}/${name}`), (source) =>
      [...new Set(textsIn(parseSync(name, source).program).filter(isSentence))].map(
        (text) => [`${folder}/${name}`, text] as const
      )
    )
  )).flat()
})
