/** Markdown of the pages in `docs/` that are made of the code. */

/** One line of a table, for which a cell must hold no line break and no bare bar. */
const rowOf = (cells: ReadonlyArray<string>): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`

export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [rowOf(head), `|${"---|".repeat(head.length)}`, ...rows.map(rowOf)].join("\n")

/** Text that is no Markdown: what looks like a tag in it must not vanish. */
export const plain = (text: string): string => text.replaceAll("<", "&lt;")

/** The name of a table's row, to which a link can lead: `#<name>`. */
export const anchored = (name: string): string => `<a id="${name}"></a>\`${name}\``

/** A whole page; `from` names the files to edit instead of it. */
export const page = (from: string, ...parts: ReadonlyArray<string>): string =>
  `<!-- Made by \`npm run generate\`; edit ${from} instead. -->\n\n${parts.join("\n\n")}\n`
