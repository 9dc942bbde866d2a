/**
 * `docs/texts.md`: every sentence that users read, in one place, so that
 * a reader who never saw the code can mark what has to be read twice. What
 * functions say is collected from the outputs in `test/decide`, what other
 * programs print from their sources.
 */
import { Console, Effect, FileSystem, Option, Schema } from "effect"
import { CliOutput, Command } from "effect/cli"
import { parse, parseAllDocuments } from "yaml"
import { enbi } from "../cli/commands.ts"
import { reasons, reasonTable } from "../lib/api/reasons.ts"
import { flakeUrlRules, imageTagRules, packageNameRules, rulesOf } from "../lib/api/nixbuild-rules.ts"
import { metrics } from "../lib/telemetry/metrics.ts"
import { settingDescriptions } from "../lib/api/setting-descriptions.ts"
import { nixBuilds } from "../lib/api/nixbuild.ts"
import { makeCrd } from "./crd.ts"
import { page, plain } from "./markdown.ts"
import { fieldsOfKind } from "./pages.ts"
import { sentencesOf } from "./sentences.ts"

/** One text, and the name of what has it. */
type Text = readonly [name: string, text: string]

const listOf = (texts: ReadonlyArray<Text>): string =>
  texts.map(([name, text]) => `- ${name}: ${plain(text).replaceAll("\n", " ⏎ ")}`).join("\n")

const named = (texts: Readonly<Record<string, string>>) => listOf(Object.entries(texts))

const Column = Schema.Struct({
  name: Schema.String,
  jsonPath: Schema.String,
  description: Schema.optionalKey(Schema.String)
})
const columns = makeCrd(nixBuilds)
  .flatMap(({ spec }) => spec.versions)
  .flatMap(({ additionalPrinterColumns }) =>
    additionalPrinterColumns.map((column) => Schema.decodeUnknownSync(Column)(column))
  )

const Spoken = Schema.Struct({
  reason: Schema.String,
  message: Schema.String,
  involvedObject: Schema.optionalKey(Schema.Struct({ kind: Schema.String }))
})
const Decided = Schema.Struct({ action: Schema.String, why: Schema.String })

// More is a build's log.
const maxLength = 500

// Two that differ in a hash or a digest alone are one text.
const brief = (text: string): string => {
  const withoutHashes = text.replaceAll(/\b[0-9a-f]{10,}\b/g, "…")
  return withoutHashes.length > maxLength ? `${withoutHashes.slice(0, maxLength)}…` : withoutHashes
}

/** The sentences anywhere in an output: by reason, those of Pods apart, and why each action is taken. */
const sentencesIn = (value: unknown): ReadonlyArray<Text> => {
  if (Array.isArray(value)) return value.flatMap(sentencesIn)
  if (typeof value !== "object" || value === null) return []
  const spoken = Option.map(Schema.decodeUnknownOption(Spoken)(value), ({ involvedObject, message, reason }): Text => [
    `${involvedObject?.kind === "Pod" ? "Pod" : "NixBuild"}, ${reason}`,
    brief(message)
  ])
  const decided = Option.map(Schema.decodeUnknownOption(Decided)(value), ({ action, why }): Text => [
    `\`enbi decisions\`, ${action}`,
    brief(why)
  ])
  return [...Option.toArray(spoken), ...Option.toArray(decided), ...Object.values(value).flatMap(sentencesIn)]
}

const decisionTexts = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const paths = (yield* files.readDirectory("test/decide", { recursive: true })).filter((path) =>
    path.endsWith(".output.yaml")
  )
  const outputs = yield* Effect.forEach(paths, (path) => files.readFileString(`test/decide/${path}`))
  const lines = outputs.flatMap((text) => sentencesIn(parse(text))).map((text) => listOf([text]))
  return [...new Set(lines)].toSorted().join("\n")
})

/** The words that lead to each command. */
const pathsOf = (command: Command.Command.Any, above: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => [
  above,
  ...command.subcommands.flatMap(({ commands }) => commands.flatMap((inner) => pathsOf(inner, [...above, inner.name])))
]

const helpOf = Effect.fnUntraced(function* (words: ReadonlyArray<string>) {
  const lines: Array<string> = []
  const console = yield* Console.Console
  yield* Command.runWith(enbi, { version: "" })([...words, "--help"]).pipe(
    Effect.provideService(Console.Console, { ...console, log: (...parts) => void lines.push(parts.join(" ")) }),
    Effect.provide(CliOutput.layer(CliOutput.defaultFormatter({ colors: false })))
  )
  return `### ${["enbi", ...words].join(" ")}\n\n\`\`\`\n${lines.join("\n").trim()}\n\`\`\``
})

const Policy = Schema.Struct({
  metadata: Schema.Struct({ name: Schema.String }),
  spec: Schema.Struct({ validations: Schema.Array(Schema.Struct({ message: Schema.String })) })
})

const Alerts = Schema.Struct({
  spec: Schema.Struct({
    groups: Schema.Array(
      Schema.Struct({
        rules: Schema.Array(
          Schema.Struct({
            alert: Schema.String,
            annotations: Schema.Struct({ summary: Schema.String, runbook: Schema.String })
          })
        )
      })
    )
  })
})

const manifestTexts = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const policies = yield* Effect.forEach(["policies", "network-policies", "plain-http-policy"], (name) =>
    Effect.map(files.readFileString(`system/${name}.yaml`), (text) =>
      parseAllDocuments(text).flatMap((document) =>
        Option.toArray(Schema.decodeUnknownOption(Policy)(document.toJS())).flatMap(({ metadata, spec }) =>
          spec.validations.map(({ message }): Text => [metadata.name, message])
        )
      )
    )
  )
  const alerts = yield* Schema.decodeUnknownEffect(Alerts)(
    parse(yield* files.readFileString("observability/alerts.yaml"))
  )
  const rules = alerts.spec.groups.flatMap(({ rules: group }) => group)
  return {
    policies: listOf(policies.flat()),
    alerts: listOf(rules.map(({ alert, annotations }) => [alert, `${annotations.summary} ${annotations.runbook}`]))
  }
})

/** The page. */
export const textsPage = Effect.gen(function* () {
  const help = yield* Effect.forEach(pathsOf(enbi, []), helpOf)
  const { alerts, policies } = yield* manifestTexts
  const programs = yield* Effect.forEach(
    ["jobs", "cli", "images", "kind", "lib/nixbuild", "lib/oci", "lib/server"],
    sentencesOf
  )
  const rules = { flakeUrl: flakeUrlRules, imageTag: imageTagRules, packageName: packageNameRules }
  return page(
    "where each text is made",
    "# Texts",
    "Every text that users read, to check whether each can be understood at once. Pages of `docs/` are not repeated here.",
    "## kubectl explain nixbuild\n\nMade in `lib/api/nixbuild.ts` and `lib/api/nixbuild-condition.ts`.",
    listOf(
      fieldsOfKind(nixBuilds).flatMap(([path, { description }]) =>
        description === undefined ? [] : [[path, description]]
      )
    ),
    "## What the API server answers to a wrong NixBuild\n\nMade in `lib/api/nixbuild-rules.ts`.",
    listOf(
      Object.entries(rules).flatMap(([field, its]) =>
        rulesOf(its).map(({ message }): Text => [`spec.${field}`, message])
      )
    ),
    "## kubectl get nixbuilds\n\nMade in `generate/crd.ts`.",
    listOf(columns.map(({ description, jsonPath, name }) => [name, description ?? `\`${jsonPath}\``])),
    "## Reasons\n\nMade in `lib/api/reasons.ts`.",
    named(reasons),
    "## Runbook\n\nMade in `lib/api/reasons.ts`.",
    listOf(Object.entries(reasonTable).map(([reason, { look }]) => [reason, look])),
    "## What functions say\n\nMade in the function that decides; collected from `test/decide`.",
    yield* decisionTexts,
    "## Command line\n\nMade in `cli/`.",
    ...help,
    "## What programs print\n\nThe builder (into a NixBuild's status and a build's log), the command line, and HTTP answers.",
    listOf(programs.flat()),
    "## Metrics\n\nMade in `lib/telemetry/metrics.ts`.",
    listOf(Object.values(metrics).map(({ description = "", id }) => [id, description])),
    "## Alerts\n\nMade in `observability/alerts.yaml`.",
    alerts,
    "## Settings\n\nMade in `lib/api/setting-descriptions.ts`.",
    listOf(
      Object.entries(settingDescriptions).map(([name, { meaning, note }]) => [name, `${meaning} ${note ?? ""}`.trim()])
    ),
    "## Policies\n\nMade in `system/`.",
    policies
  )
})
