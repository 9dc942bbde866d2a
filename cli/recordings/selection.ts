/** Selects decisions or events: the flags of all commands on recordings, and what they let through. */
import { Clock, DateTime, Effect, Option } from "effect"
import { CliError, Flag } from "effect/cli"
import { knownKinds } from "../../lib/kubernetes/kind.ts"
import "../../lib/kubernetes/kinds.ts"
import "../../lib/kubernetes/network-policy.ts"
import "../../lib/api/nixbuild.ts"
import "../../lib/api/niximage.ts"
import { matches } from "../../lib/runtime/events.ts"
import type { EnbiFunction } from "../../lib/runtime/function.ts"
import type { WholeEvent } from "../events/event-file.ts"
import type { Recording } from "./recording.ts"

const units = new Map([
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400]
])

/** The instant that is meant, in milliseconds: RFC 3339, or how long ago it is. */
const readMoment = Effect.fnUntraced(function* (option: string, text: string) {
  const [, number, unit = ""] = /^(\d+)([smhd])$/u.exec(text) ?? []
  const seconds = units.get(unit)
  if (seconds !== undefined) return (yield* Clock.currentTimeMillis) - Number(number) * seconds * 1000
  const time = DateTime.make(text)
  if (Option.isSome(time)) return DateTime.toEpochMillis(time.value)
  const expected = "a time such as 2026-11-21T11:09:53Z, or how long ago: 90s, 10m, 2h, 1d"
  return yield* new CliError.InvalidValue({ option, value: text, expected, kind: "flag" })
})

const textFlag = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)
const moment = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withDescription(description),
    Flag.withMetavar("TIME"),
    Flag.mapEffect((text) => readMoment(name, text)),
    Flag.optional
  )

/** Kind, namespace and name mean one and the same object. */
export const eventSelectionFlags = {
  id: Flag.String("id").pipe(
    Flag.withDescription("Only those whose ID starts with this; may be repeated"),
    Flag.atLeast(0)
  ),
  function: textFlag("function", "Only those of this function"),
  kind: Flag.Literals(
    "kind",
    knownKinds().map(({ kind }) => kind)
  ).pipe(Flag.withDescription("Only those about an object of this kind"), Flag.optional),
  namespace: textFlag("namespace", "Only those about an object in this namespace").pipe(Flag.withAlias("n")),
  name: textFlag("name", "Only those about an object of this name"),
  uid: textFlag("uid", "Only those that mention this uid anywhere, including in what was observed"),
  since: moment("since", "Only since then: an RFC 3339 time, or how long ago (90s, 10m, 2h, 1d)"),
  until: moment("until", "Only until then: same format")
}

/** Decisions also have an outcome. */
export const selectionFlags = {
  ...eventSelectionFlags,
  failed: Flag.Boolean("failed").pipe(
    Flag.withDescription("Only those that failed"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  )
}

export interface EventSelection {
  readonly id: ReadonlyArray<string>
  readonly function: Option.Option<string>
  readonly kind: Option.Option<string>
  readonly namespace: Option.Option<string>
  readonly name: Option.Option<string>
  readonly uid: Option.Option<string>
  readonly since: Option.Option<number>
  readonly until: Option.Option<number>
}

export interface Selection extends EventSelection {
  readonly failed: boolean
}

/** What names an object, as far as it does. */
interface Named {
  readonly kind?: string | undefined
  readonly namespace?: string | undefined
  readonly name?: string | undefined
}

/** Whether a decision is one of those that are meant. */
export const selects =
  (selection: Selection) =>
  ({ id, record, show }: Recording): boolean =>
    isOneOf(selection, id) &&
    is(selection.function, record.function) &&
    isWithin(selection, record.time) &&
    (!selection.failed || record.outcome !== "Done") &&
    [record.event, record.subject, ...record.writes].some((object) => isAbout(selection, object)) &&
    mentions(selection, show)

/** Whether an event is one of those that are meant; of a function are those that it listens to. */
export const selectsEvent =
  (selection: EventSelection, functions: ReadonlyArray<Pick<EnbiFunction<unknown>, "name" | "on">>) =>
  (event: WholeEvent): boolean =>
    isOneOf(selection, event.id) &&
    (Option.isNone(selection.function) ||
      functions.some(({ name, on }) => is(selection.function, name) && on.some((filter) => matches(filter, event)))) &&
    isWithin(selection, event.time) &&
    isAbout(selection, event) &&
    mentions(selection, () => event)

const isOneOf = ({ id }: EventSelection, whole: string): boolean =>
  id.length === 0 || id.some((beginning) => whole.startsWith(beginning))

const isAbout = (selection: EventSelection, object: Named): boolean =>
  is(selection.kind, object.kind) && is(selection.namespace, object.namespace) && is(selection.name, object.name)

const isWithin = ({ since, until }: EventSelection, time: string | undefined): boolean => {
  if (Option.isNone(since) && Option.isNone(until)) return true
  const instant = Option.map(time === undefined ? Option.none() : DateTime.make(time), DateTime.toEpochMillis)
  return Option.exists(
    instant,
    (millis) => Option.getOrElse(since, () => -Infinity) <= millis && millis <= Option.getOrElse(until, () => Infinity)
  )
}

const mentions = ({ uid }: EventSelection, show: () => unknown): boolean =>
  Option.isNone(uid) || JSON.stringify(show()).includes(uid.value)

const is = (wanted: Option.Option<string>, value: string | undefined): boolean =>
  Option.isNone(wanted) || wanted.value === value
