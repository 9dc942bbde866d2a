/**
 * Which images a Pod was woken for: kubelet looks again as soon as a Pod
 * changes in any way, so the annotation `enbi.hrzn.ee/woken` gets one entry for
 * each NixBuild, or Job that pulled an image of the registry: when the image came
 * to the Pod's node, which it is, and when the Pod was woken for it.
 */
import type { Pod } from "../kubernetes/kinds.ts"
import { wokenAnnotation } from "../api/annotations.ts"

export interface Arrival {
  /** The NixBuild whose image it is, or the Job that pulled it. */
  readonly build: { readonly metadata: { readonly name: string; readonly namespace?: string } }
  readonly importedTime: string
}

interface Waking {
  readonly importedTime: string
  readonly namespace: string
  readonly name: string
  /** Absent: an earlier version woke it. */
  readonly wokenTime?: string
}

const parse = (entry: string): ReadonlyArray<Waking> => {
  const [, importedTime, namespace, name, wokenTime] = /^(\S+) ([^/\s]+)\/(\S+)(?: (\S+))?$/u.exec(entry) ?? []
  return importedTime === undefined || namespace === undefined || name === undefined
    ? []
    : [{ importedTime, namespace, name, ...(wokenTime === undefined ? {} : { wokenTime }) }]
}

const format = ({ importedTime, name, namespace, wokenTime }: Waking): string =>
  [importedTime, `${namespace}/${name}`, ...(wokenTime === undefined ? [] : [wokenTime])].join(" ")

/** What it was woken for, by NixBuild. */
export const wakingsOf = ({ metadata }: Pod): ReadonlyArray<Waking> =>
  (metadata.annotations?.[wokenAnnotation] ?? "").split(", ").flatMap(parse)

const isOf = ({ metadata }: Arrival["build"], { name, namespace }: Waking): boolean =>
  name === metadata.name && namespace === metadata.namespace

/** The waking for this arrival. Of several images that come in the same second each wakes the Pod by itself. */
export const wakingFor = (pod: Pod, { build, importedTime }: Arrival): Waking | undefined =>
  wakingsOf(pod).find((waking) => isOf(build, waking) && waking.importedTime === importedTime)

export const isWokenFor = (pod: Pod, arrival: Arrival): boolean => wakingFor(pod, arrival) !== undefined

/** The annotation's value once the Pod is woken for this image too. */
export const wokenFor = (pod: Pod, { build, importedTime }: Arrival, time: string): string => {
  const { name, namespace = "" } = build.metadata
  // Whose clock is behind has not woken it before there was something to wake it for.
  const wokenTime = time < importedTime ? importedTime : time
  const others = wakingsOf(pod).filter((waking) => !isOf(build, waking))
  return [...others, { importedTime, namespace, name, wokenTime }].map(format).join(", ")
}
