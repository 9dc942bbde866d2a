/**
 * Names computed from what they identify. The same owner always gets the same
 * child, so a second try, a second replica or an event that comes twice finds
 * what the first made instead of making another.
 */
import { hash10, sha256 } from "../hash.ts"

// A Job's name becomes a Pod label, and a label ends at 63 characters.
const maxReadable = 63 - "-import-0123456789".length

// A name may not end with a dot or a dash, so its beginning may not either.
const beginning = (name: string, length: number): string => name.slice(0, length).replace(/[^a-z0-9]+$/, "")

export interface Attempt {
  readonly build: { readonly name: string; readonly uid: string }
  readonly node: string
  readonly attempt: number
}

export const jobName = (step: "build" | "import", { attempt, build, node }: Attempt): string =>
  `${beginning(build.name, maxReadable)}-${step}-${hash10(build.uid, node, String(attempt))}`

/** The Job that makes the directories of a namespace's volume on a node. */
export const volumeJobName = (namespaceUid: string, node: string): string => `enbi-volume-${hash10(namespaceUid, node)}`

/** The Job that removes the directories of a namespace's volume from a node. */
export const removalJobName = (namespaceUid: string, node: string): string =>
  `enbi-remove-volume-${hash10(namespaceUid, node)}`

export const persistentVolumeName = (namespaceUid: string, node: string): string =>
  `enbi-${namespaceUid}-${hash10(node)}`

/** The uid that `persistentVolumeName` made this name of, if it did. */
export const namespaceUidIn = (volumeName: string, node: string): string | undefined => {
  const uid = volumeName.slice("enbi-".length, -`-${hash10(node)}`.length)
  return persistentVolumeName(uid, node) === volumeName ? uid : undefined
}

export const claimName = (node: string): string => `enbi-cache-${hash10(node)}`

/** The NetworkPolicy of a namespace's build Pods. A policy of `system/` names it. */
export const egressPolicyName = "enbi-build-egress"

/** Name of the Lease by which a namespace holds an image tag, given in its full form. */
export const tagLeaseName = (reference: string): string => `enbi-tag-${sha256(reference).slice(0, 40)}`

export const eventName = (about: { readonly name: string; readonly uid: string }, ...parts: ReadonlyArray<string>) =>
  `${beginning(about.name, 200)}.${hash10(about.uid, ...parts)}`
