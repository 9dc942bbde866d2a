/** What is printed about a build: its conditions as they change, and how it ended. */
import { type Condition, phaseOf } from "../../lib/api/nixbuild-condition.ts"
import { conditionsOf, type NixBuild } from "../../lib/api/nixbuild.ts"
import { isImporting } from "../../lib/nixbuild/slots.ts"
import { isForRegistry } from "../../lib/nixbuild/delivery.ts"

/** The sentences that `build` has and `before` had not. */
export const newsIn = (build: NixBuild, before: NixBuild | undefined): ReadonlyArray<string> => {
  const known = before === undefined ? [] : [...conditionsOf(before), ...keptImportsOf(before)].map(sentenceOf)
  const told = conditionsOf(build)
    .filter(({ reason, type }) => type === "Scheduled" || type === "Launched" || reason.startsWith("Retry"))
    // It repeats the others' words.
    .filter(({ type }) => type !== "Ready")
  const news = [...told, ...keptImportsOf(build)].map(sentenceOf).filter((sentence) => !known.includes(sentence))
  const imports = (one: NixBuild | undefined) => one !== undefined && phaseOf(conditionsOf(one)) === "Importing"
  return imports(build) && !imports(before)
    ? [
        ...news,
        isForRegistry(build)
          ? "publishing to the image registry"
          : `importing into containerd of ${build.status?.buildNode}`
      ]
    : news
}

/** What keeps imports from beginning. */
const keptImportsOf = ({ status }: NixBuild) =>
  (status?.nodes ?? []).flatMap((node) =>
    isImporting(node) && node.message !== undefined ? [{ reason: node.reason, message: node.message }] : []
  )

const sentenceOf = ({ message, reason }: Pick<Condition, "message" | "reason">): string => `${reason}: ${message}`

/** How it ended, for people. */
export const outcomeOf = (build: NixBuild): ReadonlyArray<string> => {
  const { failure, imageDigest = "", nodes = [] } = build.status ?? {}
  const there = nodes.filter(({ importedTime }) => importedTime !== undefined).map(({ name }) => name)
  const missing = nodes
    .filter(({ importedTime }) => importedTime === undefined)
    .map(({ name, reason }) => `It is not on node ${name}: ${reason}.`)
  if (phaseOf(conditionsOf(build)) === "Succeeded") {
    if (isForRegistry(build)) return [`${build.spec.imageTag} is in the image registry: ${imageDigest}`]
    return [`${build.spec.imageTag} is on node ${there.join(", ")}: ${imageDigest}`, ...missing]
  }
  return [...missing, `Failed: ${failure?.reason ?? "for an unknown reason"}: ${failure?.message ?? ""}`]
}
