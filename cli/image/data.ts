/** What the arguments of `enbi image` ask for, checked as the API server would: a flake is printed without it. */
import { Effect, Option, Schema, Struct } from "effect"
import type { Extra } from "../../lib/api/image-request.ts"
import { attributeRules, environmentRules, repositoryRules, tagRules } from "../../lib/api/image-rules.ts"
import { flakeUrlRules } from "../../lib/api/nixbuild-rules.ts"
import { Data } from "../../lib/api/niximage.ts"
import { Trouble } from "../exit.ts"

interface Arguments {
  readonly contents: ReadonlyArray<string>
  readonly packages: Option.Option<string>
  readonly system: ReadonlyArray<string>
  readonly entrypoint: ReadonlyArray<string>
  readonly cmd: ReadonlyArray<string>
  readonly env: ReadonlyArray<string>
  readonly user: Option.Option<string>
  readonly omit: ReadonlyArray<Extra>
  readonly maxLayers: Option.Option<number>
  readonly allowUnfree: boolean
}

const Content = Schema.Struct(Struct.omit(Data.fields, ["name", "tag"]))
export type Content = typeof Content.Type

/** What goes into the image, without what was not given. */
export const contentIn = Effect.fnUntraced(function* (all: Arguments) {
  const { allowUnfree, cmd, contents, entrypoint, env, maxLayers, omit, packages, system, user } = all
  yield* obey(attributeRules, contents)
  yield* obey(flakeUrlRules, Option.toArray(packages))
  yield* obey(environmentRules, env)
  const config = {
    ...given("Entrypoint", entrypoint),
    ...given("Cmd", cmd),
    ...given("Env", env),
    ...Option.match(user, { onNone: () => ({}), onSome: (User) => ({ User }) })
  }
  return yield* Schema.decodeUnknownEffect(Content, { errors: "all" })({
    contents,
    ...Option.match(packages, { onNone: () => ({}), onSome: (url) => ({ packages: url }) }),
    ...given("systems", system),
    ...(Object.keys(config).length === 0 ? {} : { config }),
    ...Option.match(maxLayers, { onNone: () => ({}), onSome: (number) => ({ maxLayers: number }) }),
    ...given("omit", omit),
    ...(allowUnfree ? { allowUnfree } : {})
  }).pipe(Effect.mapError(({ message }) => new Trouble({ message })))
})

const given = <A>(name: string, list: ReadonlyArray<A>) => (list.length === 0 ? {} : { [name]: list })

/** What an image is called in the registry. */
export interface ImageName {
  readonly repository: string
  readonly tag: string
}

export const nameIn = Effect.fnUntraced(function* (text: Option.Option<string>) {
  const name = Option.getOrElse(text, () => "")
  const at = name.lastIndexOf(":")
  if (at < 0) return yield* new Trouble({ message: "Give the image a name and a tag, such as --tag tools:v1." })
  const [repository, tag] = [name.slice(0, at), name.slice(at + 1)]
  yield* obey(repositoryRules, [repository])
  yield* obey(tagRules, [tag])
  return { repository, tag }
})

type Rules = ReadonlyArray<{ readonly message: string; readonly holds: (text: string) => boolean }>

const obey = (rules: Rules, texts: ReadonlyArray<string>) =>
  Effect.forEach(
    texts.flatMap((text) =>
      rules.filter(({ holds }) => !holds(text)).map(({ message }) => `${JSON.stringify(text)} ${message}.`)
    ),
    (message) => Effect.fail(new Trouble({ message })),
    { discard: true }
  )
