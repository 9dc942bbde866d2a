/** What a measurement gives: numbers of ours beside those of its bare counterpart from the same run, and how they are shown. */

/** What must not be exceeded. */
type Ceiling<Of> = { readonly of: Of; readonly most: number }

interface Measured {
  readonly what: string
  readonly ours: ReadonlyArray<number>
  readonly bare?: ReadonlyArray<number>
}

/** How long something takes is as much the machine's doing, so only the ratio of the medians can be too much. */
export interface TimeRow extends Measured {
  readonly unit: "ms" | "µs"
  readonly ceiling?: Ceiling<"ratio">
}

/** Memory, counts and what one piece of work takes of the processor are ours alone: the ratio of the medians, or the median of ours. */
export interface CountRow extends Measured {
  readonly unit: "MiB" | "bytes" | "requests" | "ms of CPU"
  readonly ceiling?: Ceiling<"ratio" | "ours">
}

export type Row = TimeRow | CountRow

export const median = (numbers: ReadonlyArray<number>): number => quantile(numbers, 0.5)

/** The smallest number that is not exceeded by this share of them; halfway between the middle two for an even half. */
export const quantile = (numbers: ReadonlyArray<number>, share: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = Math.max(0, Math.ceil(sorted.length * share) - 1)
  const next = share === 0.5 && sorted.length % 2 === 0 ? at + 1 : at
  return ((sorted[at] ?? Number.NaN) + (sorted[next] ?? Number.NaN)) / 2
}

/** A row with what was computed of it. */
export const summarize = (row: Row) => {
  const ours = median(row.ours)
  const bare = row.bare === undefined ? undefined : median(row.bare)
  const ratio = bare === undefined ? undefined : ours / bare
  const measured = row.ceiling?.of === "ratio" ? ratio : ours
  const holds = row.ceiling === undefined ? undefined : measured !== undefined && measured <= row.ceiling.most
  return { ...row, median: { ours, bare, ratio }, holds }
}

const heads = ["what", "unit", "ours: median (min–max)", "bare: median (min–max)", "ratio", "ceiling", "holds"]

export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = [heads, ...rows.map(cells)]
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

const cells = (row: Row): ReadonlyArray<string> => {
  const { holds, median: middle } = summarize(row)
  return [
    row.what,
    row.unit,
    spread(row.ours),
    row.bare === undefined ? "–" : spread(row.bare),
    middle.ratio === undefined ? "–" : middle.ratio.toFixed(2),
    row.ceiling === undefined ? "–" : `${row.ceiling.of} ≤ ${row.ceiling.most}`,
    holds === undefined ? "–" : holds ? "yes" : "NO, MISSED"
  ]
}

const spread = (numbers: ReadonlyArray<number>): string => {
  const middle = short(median(numbers))
  return numbers.length < 2 ? middle : `${middle} (${short(Math.min(...numbers))}–${short(Math.max(...numbers))})`
}

const short = (number: number): string => (number < 10 ? String(Math.round(number * 10) / 10) : number.toFixed(0))
