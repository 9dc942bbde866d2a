/** The pages of `docs/` that are made of the code: one anchor for each entry, so that a message can end in a link. */
import { Schema } from "effect"
import { reasonTable } from "../lib/api/reasons.ts"
import type { Custom, Kind } from "../lib/kubernetes/kind.ts"
import { metrics } from "../lib/telemetry/metrics.ts"
import { settingDescriptions } from "../lib/api/setting-descriptions.ts"
import { variables } from "../lib/api/settings.ts"
import { type Definition, isServer, serversAmong } from "../lib/runtime/definition.ts"
import { kindsOf } from "../lib/runtime/function.ts"
import { makeCrd } from "./crd.ts"
import { anchored, page, plain, table } from "./markdown.ts"

const reasonsPage = page(
  "`lib/api/reasons.ts`",
  "# Reasons",
  "A reason is the one word under which a NixBuild, or a Pod that waits for its image, says what is going on. You find it in the conditions and in `status.failure` of the NixBuild (`kubectl describe nixbuild NAME`), and in Events on the NixBuild and on the waiting Pod (`kubectl describe pod POD`).",
  "In the commands below, NAME is the NixBuild; run them in its namespace. POD and NODE are those that the message names. A command that changes a NixBuild changes that one only; for later Pods, change the [annotations](annotations.md) in their template.",
  Object.keys(reasonTable)
    .toSorted()
    .map((reason) => `[${reason}](#${reason.toLowerCase()})`)
    .join(" · "),
  ...Object.entries(reasonTable).map(
    ([reason, { look, what, ...row }]) =>
      `## ${reason}\n\n${row.do === undefined ? what : `${what} ${row.do}`}\n\n**What to do:** ${look}`
  )
)

const metricsPage = page(
  "`lib/telemetry/metrics.ts`",
  "# Metrics",
  "Served for Prometheus at `/metrics` on port 8080; [how to scrape them](observability.md#metrics). Durations are histograms in seconds, with buckets from 5 ms to 2 h. Counters begin at 0 with the process. No label holds names, tags or URLs of users.",
  table(
    ["metric", "type", "meaning"],
    Object.values(metrics).map(({ description = "", id, type }) => [anchored(id), type.toLowerCase(), description])
  )
)

/** Whether a function or a server reads the setting. */
const reads = (definition: Definition, name: string): boolean =>
  isServer(definition)
    ? Object.hasOwn(definition.settings ?? {}, name)
    : (definition.settings ?? []).some((key) => variables[key] === name)

const settingsPage = (definitions: ReadonlyArray<Definition>) =>
  page(
    "`lib/api/setting-descriptions.ts`",
    "# Settings",
    "Environment variables of the container `functions` in `embedded/deployment.yaml`. On Knative, and without Serving, they are lines of `knative/settings.env`; edit them there and apply again. To change one in the Deployment:",
    "```\nkubectl set env -n enbi-system deploy/enbi-functions MAX_BUILDS_PER_NODE=4\n```",
    `Those of ${serversAmong(definitions)
      .map(({ name }) => `\`${name}\``)
      .join(", ")} stand in \`servers/\`, in the Deployment of that name, however the functions run.`,
    table(
      ["setting", "default", "read by", "meaning"],
      Object.entries(settingDescriptions).map(([name, row]) => [
        anchored(name),
        [row.default === undefined ? [] : `\`${row.default}\``, row.note ?? []].flat().join("; ") || "none",
        definitions
          .filter((definition) => reads(definition, name))
          .map((definition) => `\`${definition.name}\``)
          .join(", ") || "the process",
        row.meaning
      ])
    )
  )

interface Field {
  readonly description?: string
  readonly type?: string
  readonly enum?: ReadonlyArray<string>
  readonly items?: Field
  readonly properties?: Readonly<Record<string, Field>>
  readonly additionalProperties?: Field
}

const optional = Schema.optionalKey
const Inner = Schema.suspend((): Schema.Codec<Field> => FieldSchema)
const FieldSchema = Schema.Struct({
  description: optional(Schema.String),
  type: optional(Schema.String),
  enum: optional(Schema.Array(Schema.String)),
  items: optional(Inner),
  properties: optional(Schema.Record(Schema.String, Inner)),
  additionalProperties: optional(Inner)
})

const typeOf = ({ additionalProperties, items, type = "integer or string" }: Field): string =>
  items !== undefined
    ? `list of ${typeOf(items)}`
    : additionalProperties !== undefined
      ? `map to ${typeOf(additionalProperties)}`
      : type

// The reasons have a page of their own.
const maxChoices = 10

const choicesOf = ({ enum: choices = [] }: Field): string =>
  choices.length > 0 && choices.length <= maxChoices ? ` One of ${choices.join(", ")}.` : ""

/** The field and those inside it. */
export const fieldsOf = (path: string, field: Field): ReadonlyArray<readonly [string, Field]> => [
  [path, field],
  ...Object.entries(field.properties ?? field.items?.properties ?? {}).flatMap(([name, inner]) =>
    fieldsOf(`${path}.${name}`, inner)
  )
]

const decodeFields = Schema.decodeUnknownSync(Schema.Record(Schema.String, FieldSchema))

/** All fields that objects of the kind have beside their metadata, in the order of the CustomResourceDefinition. */
export const fieldsOfKind = (kind: Kind) =>
  makeCrd(kind)
    .flatMap(({ spec }) => spec.versions)
    .flatMap(({ schema }) => {
      const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...roots } = schema.openAPIV3Schema.properties
      return Object.entries(decodeFields(roots)).flatMap(([root, field]) => fieldsOf(root, field))
    })

const fieldsPage = (kind: Kind, custom: Custom): string => {
  const fields = fieldsOfKind(kind)
  return page(
    `\`lib/api/${custom.singular}.ts\``,
    `# Fields of a ${kind.kind}`,
    `The same text as \`kubectl explain ${custom.singular}\`. [${kind.kind}](${custom.singular}.md) shows what one looks like and how it goes on.`,
    ...fields
      .filter(([path]) => !path.includes("."))
      .flatMap(([root, { description = "" }]) => [
        `## ${root.slice(0, 1).toUpperCase()}${root.slice(1)}`,
        description,
        table(
          ["field", "type", "meaning"],
          fields
            .filter(([path]) => path.startsWith(`${root}.`))
            .map(([path, field]) => [
              anchored(path),
              typeOf(field),
              plain(`${field.description ?? ""}${choicesOf(field)}`)
            ])
        )
      ])
  )
}

/** By their path in the repository. */
export const pagesOf = (definitions: ReadonlyArray<Definition>): Readonly<Record<string, string>> => ({
  "docs/reasons.md": reasonsPage,
  "docs/metrics.md": metricsPage,
  "docs/settings.md": settingsPage(definitions),
  ...Object.fromEntries(
    kindsOf(definitions).flatMap((kind) =>
      kind.custom === undefined ? [] : [[`docs/${kind.custom.singular}-fields.md`, fieldsPage(kind, kind.custom)]]
    )
  )
})
