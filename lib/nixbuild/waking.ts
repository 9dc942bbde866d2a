/**
 * Which images a Pod was woken for: kubelet looks again as soon as a Pod
 * changes in any way, so the annotation `enbi.hrzn.ee/woken` gets one entry for
 * each NixBuild, with the time at which its image came to the Pod's node.
 */
import type { Pod } from "../kubernetes/kinds.ts"
import type { NixBuild } from "../api/nixbuild.ts"
import { wokenAnnotation } from "../api/annotations.ts"

export interface Arrival {
  readonly build: Pick<NixBuild, "metadata">
  readonly importedTime: string
}

const entriesOf = ({ metadata }: Pod): ReadonlyArray<string> => {
  const value = metadata.annotations?.[wokenAnnotation] ?? ""
  return value === "" ? [] : value.split(", ")
}

const suffixOf = ({ metadata }: Arrival["build"]): string => ` ${metadata.namespace}/${metadata.name}`

/** The NixBuilds that it was woken for. */
export const wakersOf = (pod: Pod) =>
  entriesOf(pod).flatMap((entry) => {
    const [, namespace, name] = /^\S+ ([^/]+)\/(.+)$/u.exec(entry) ?? []
    return namespace === undefined || name === undefined ? [] : [{ namespace, name }]
  })

/** Of several images that come in the same second each wakes the Pod by itself. */
export const isWokenFor = (pod: Pod, { build, importedTime }: Arrival): boolean =>
  entriesOf(pod).includes(`${importedTime}${suffixOf(build)}`)

/** The annotation's value once the Pod is woken for this image too. */
export const wokenFor = (pod: Pod, { build, importedTime }: Arrival): string =>
  [...entriesOf(pod).filter((entry) => !entry.endsWith(suffixOf(build))), `${importedTime}${suffixOf(build)}`].join(
    ", "
  )
