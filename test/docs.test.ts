/** What people read: the pages made of the code, and that every link in README, CONTRIBUTING and `docs/` leads somewhere. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Path } from "effect"
import { reasons } from "../lib/api/reasons.ts"
import { metrics } from "../lib/telemetry/metrics.ts"
import { settingDescriptions } from "../lib/api/setting-descriptions.ts"
import { Settings } from "../lib/api/settings.ts"

const read = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.readFileString(path)
})

/** The cells of each row whose first cell matches, without its anchor. */
const rowsOf = (text: string, first: RegExp): ReadonlyArray<ReadonlyArray<string>> =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .slice(2, -2)
        .replace(/^<a id="[^"]*"><\/a>/, "")
        .split(/ (?<!\\)\| /)
    )
    .filter(([cell = ""]) => first.test(cell))

/** Each second-level heading of a page with the paragraphs below it. */
const sectionsOf = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text
    .split("\n## ")
    .slice(1)
    .map((section) => section.trim().split("\n\n"))

// GitHub makes a heading's anchor like this, and takes `<a id>` as it is.
const slugOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-")

const withoutCode = (text: string): string => text.replaceAll(/^```[^]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "``")

const anchorsOf = (text: string): ReadonlyArray<string> => [
  ...[...text.replaceAll(/^```[^]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => slugOf(heading)),
  ...[...text.matchAll(/<a id="([^"]*)">/g)].map(([, id = ""]) => id)
]

/** All that a page leads to, pictures too. */
const linksOf = (text: string): ReadonlyArray<string> =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)]
    .map(([, inline, attribute]) => inline ?? attribute ?? "")
    .filter((link) => !/^[a-z]+:/.test(link))

const pagesOf = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const docs = (yield* files.readDirectory("docs")).filter((name) => name.endsWith(".md"))
  return ["README.md", "CONTRIBUTING.md", ...docs.map((name) => `docs/${name}`)]
})

/** The links of a page that lead nowhere. */
const brokenIn = Effect.fnUntraced(function* (page: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return yield* Effect.filter(linksOf(yield* read(page)), (link) =>
    Effect.gen(function* () {
      const [file = "", anchor] = link.split("#")
      const target = file === "" ? page : path.join(path.dirname(page), file)
      if (!(yield* files.exists(target))) return true
      return anchor !== undefined && !anchorsOf(yield* read(target)).includes(anchor)
    })
  )
})

describe("docs", () => {
  it.effect("have a section for each reason: its meaning, and what to type", () =>
    Effect.gen(function* () {
      const sections = sectionsOf(yield* read("docs/reasons.md"))
      assert.deepStrictEqual(
        sections.map(([reason, sentence]) => [reason, sentence]),
        Object.entries(reasons)
      )
      for (const section of sections) {
        assert.lengthOf(section, 3)
        const advice = (section[2] ?? "").replace(/^\*\*What to do:\*\* /, "")
        assert.match(advice, /`(kubectl|nix) |^Nothing to do/)
        assert.strictEqual(advice.split("`").length % 2, 1, `a command has no end: ${advice}`)
      }
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("name every metric of the code, and no other", () =>
    Effect.gen(function* () {
      const names = Object.values(metrics).map(({ id }) => id)
      assert.deepStrictEqual(
        rowsOf(yield* read("docs/metrics.md"), /^`nixbuild_/).map(([name]) => name),
        names.map((name) => `\`${name}\``)
      )
      const all = (yield* Effect.forEach(yield* pagesOf, read)).join("\n")
      assert.sameMembers([...new Set(all.match(/\bnixbuild_[a-z_]+/g))], names)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("have a row for each setting that the code reads, and for no other", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folders = yield* Effect.forEach(["lib", "functions", "embedded", "eventing"], (folder) =>
        Effect.map(files.readDirectory(folder, { recursive: true }), (paths) =>
          paths.filter((path) => path.endsWith(".ts")).map((path) => `${folder}/${path}`)
        )
      )
      const sources = yield* Effect.forEach(folders.flat(), read)
      const names = sources
        .filter((source) => source.includes("Config."))
        .flatMap((source) => [...source.matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)"/g)].map(([, name = ""]) => name))
        // Kubernetes sets these in every Pod, we set one for exec plugins; the others are words of HTTP.
        .filter(
          (name) => !/^KUBERNETES_SERVICE_|^KUBERNETES_EXEC_INFO$|^(GET|POST|PATCH|DELETE|LIST|WATCH)$/.test(name)
        )
      assert.sameMembers(Object.keys(settingDescriptions), [...new Set(names)])
      const rows = rowsOf(yield* read("docs/settings.md"), /^`[A-Z]/)
      assert.deepStrictEqual(
        rows.map(([name]) => name),
        Object.keys(settingDescriptions).map((name) => `\`${name}\``)
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("say the defaults of settings as they are", () =>
    Effect.gen(function* () {
      const settingsOf = (variables: Readonly<Record<string, string>>) =>
        Effect.gen(function* () {
          return yield* Settings
        }).pipe(
          Effect.provide(
            Settings.layer([]).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(variables))))
          )
        )
      const defaults = Object.entries(settingDescriptions).flatMap(([name, row]) =>
        row.default === undefined ? [] : [[name, row.default] as const]
      )
      const required = { BUILDER_IMAGE: "builder:1" }
      assert.deepStrictEqual(
        yield* settingsOf({ ...required, ...Object.fromEntries(defaults) }),
        yield* settingsOf(required)
      )
    })
  )

  it.effect("have no link that leads nowhere", () =>
    Effect.gen(function* () {
      const pages = yield* pagesOf
      const broken = yield* Effect.forEach(pages, (page) => Effect.map(brokenIn(page), (links) => [page, links]))
      assert.deepStrictEqual(
        broken,
        pages.map((page) => [page, []])
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("can be reached from README, each in one click, and README is no longer than 130 lines", () =>
    Effect.gen(function* () {
      const text = yield* read("README.md")
      assert.isAtMost(text.trimEnd().split("\n").length, 130)
      const linked = linksOf(text).map((link) => link.split("#")[0])
      const missing = (yield* pagesOf).filter((page) => page !== "README.md" && !linked.includes(page))
      assert.deepStrictEqual(missing, [])
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.effect("README shows what npm start prints at its end", () =>
    Effect.gen(function* () {
      const [, shown = ""] = /What to try next:\n((?: .*\n)+)/.exec(yield* read("README.md")) ?? []
      const start = yield* read("kind/start.ts")
      const [, printed = ""] = /"What to try next:",\n([^\]]*)\]/.exec(start) ?? []
      const namespace = /const namespace = "([^"]*)"/.exec(start)?.[1] ?? ""
      assert.deepStrictEqual(
        shown.trim().split(/\n\s*/),
        [...printed.matchAll(/["`] {2}(.*)["`]/g)].map(([, line = ""]) =>
          line.replace("${namespace}", namespace).replace("${kubeconfig}", "…")
        )
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
