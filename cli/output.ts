/** How commands write what they show. */
import { Flag } from "effect/cli"
import { stringify } from "yaml"
import { type CloudEvent, isSweep } from "../lib/runtime/events.ts"
import type { Write } from "./recordings/recording.ts"

/** For people, or for programs. */
export const outputFlag = Flag.Literals("output", ["text", "json"]).pipe(
  Flag.withAlias("o"),
  Flag.withDescription("text, or json: everything, one JSON object per line, to store or attach to an issue"),
  Flag.withDefault("text")
)

export type Output = "text" | "json"

interface Named {
  readonly kind?: string
  readonly namespace?: string
  readonly name?: string
}

/** `Pod apps/hello`. */
export const nameOf = ({ kind = "", name = "", namespace = "" }: Named): string =>
  `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`.trim()

/** `update Pod apps/hello`, or `sweep`. */
export const eventOf = (event: CloudEvent): string =>
  isSweep(event) ? "sweep" : `${event.type.slice(event.type.lastIndexOf(".") + 1)} ${nameOf(event)}`.trimEnd()

/** `Create Job apps/hello-build: one builds`. */
export const writeOf = ({ action, why, ...written }: Write): string => `${action} ${nameOf(written)}: ${why}`

/** One YAML document, under a comment. */
export const documentOf = (title: string, value: unknown): string =>
  `---\n# ${title}\n${stringify(value, { lineWidth: 110, aliasDuplicateObjects: false }).trimEnd()}`

/** Cells side by side, without those that are empty. */
export const rowOf = (...cells: ReadonlyArray<string>): string => cells.filter((cell) => cell !== "").join("  ")
