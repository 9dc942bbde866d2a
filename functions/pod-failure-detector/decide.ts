/**
 * A Pod that fails to start for want of images that its annotations name gets
 * a NixBuild for each, or one more node in the existing NixBuild; `scheduler`
 * acts next. One that waits for an image of our registry gets a NixImage. Obstacles are recorded in an Event on the Pod, because that is
 * where people look. Sets no condition.
 */
import { Predicate } from "effect"
import type { Action } from "../../lib/runtime/action.ts"
import { managedBy, type Pod } from "../../lib/kubernetes/kinds.ts"
import { secondsAfter, secondsBetween } from "../../lib/kubernetes/time.ts"
import { waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import type { Observed } from "./observe.ts"
import { follow } from "./follow.ts"
import { makeNixBuild } from "../../lib/nixbuild/make.ts"
import { type Request, requestsOf } from "./request.ts"
import { findRecorded, record } from "./record.ts"
import { followPull } from "./registry.ts"

export const decide = (observed: Observed): ReadonlyArray<Action> => {
  const { builds, node, pod, settings } = observed
  if (isNotOurs(pod) || waitingContainers(pod).length === 0 || pod.spec.nodeName === undefined) return []
  const { problems, pulls, requests } = requestsOf(pod, node, settings.imageRegistry)
  return [
    ...pulls.flatMap((pull) => followPull(observed, pull)),
    ...problems.flatMap(({ message, reason }) => record(observed, { reason, message, key: message })),
    ...requests.flatMap((request) => {
      const always = request.containers.filter(({ imagePullPolicy }) => imagePullPolicy === "Always")
      const build = builds.find(({ metadata }) => metadata.name === request.name)
      return [
        ...recordAlways(observed, always),
        ...(always.length === request.containers.length
          ? []
          : build === undefined
            ? make(observed, request)
            : follow(observed, { build, request }))
      ]
    })
  ]
}

// Static Pods answer to a node's files and not to the API server, and kube-system is not anybody's application.
const isNotOurs = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined ||
  metadata.namespace === "kube-system" ||
  metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined ||
  status?.phase === "Succeeded" ||
  status?.phase === "Failed"

const recordAlways = (observed: Observed, always: Request["containers"]): ReadonlyArray<Action> => {
  const names = always.map(({ name }) => name).join(", ")
  const message = `The image of container ${names} is not built: it has imagePullPolicy Always, so the kubelet always asks the registry and would never use a built image. Set imagePullPolicy: IfNotPresent.`
  return always.length === 0 ? [] : record(observed, { reason: "ImagePullPolicyAlways", message, key: names })
}

/** What was refused is tried again with every look at the Pod, since the reason may pass; it is said once. */
const make = (observed: Observed, request: Request): ReadonlyArray<Action> => {
  const { pod, refusals } = observed
  const refusal = refusals.find(({ name }) => name === request.name)
  if (refusal?.isLasting === false) return []
  if (refusal !== undefined) {
    const message = `The image of container ${namesOf(request)} is not built: ${refusal.message}`
    // A quota counts in its message, and a number more is nothing new.
    const key = `${request.name} ${refusal.message.replace(/\d+/g, "")}`
    return record(observed, { reason: "NixBuildRefused", message, key })
  }
  return (
    waitForPerson(observed, request) ?? [
      {
        action: "Create",
        why: `Pod ${pod.metadata.name} waits for ${request.wanted.imageTag}`,
        object: makeNixBuild(
          { name: request.name, namespace: pod.metadata.namespace, labels: managedBy },
          { ...request.wanted, nodes: [pod.spec.nodeName].filter(Predicate.isNotUndefined) }
        )
      }
    ]
  )
}

const namesOf = ({ containers }: Request): string => containers.map(({ name }) => name).join(", ")

// Whoever deletes a NixBuild may want to create another under its name, and has to write it first.
const graceSeconds = 90

/** What is done instead of making a NixBuild again that was deleted, if it went just now. */
const waitForPerson = (observed: Observed, { name }: Request): ReadonlyArray<Action> | undefined => {
  const { said, time } = observed
  const [last] = said
    .filter(({ build }) => build?.name === name)
    .toSorted((a, b) => ((a.time ?? "") < (b.time ?? "") ? 1 : -1))
  const uid = last?.build?.uid
  if (uid === undefined) return undefined
  const told = findRecorded(observed, { reason: "NixBuildDeleted", key: uid })
  if (told === undefined) {
    return record(observed, {
      reason: "NixBuildDeleted",
      message: `NixBuild ${name} was deleted. It will be created again after ${secondsAfter(time, graceSeconds, time)}, unless you create one with that name first.`,
      key: uid
    })
  }
  const age = secondsBetween(told.time ?? time, time)
  // One from the future comes of another clock.
  return told.time !== undefined && age >= 0 && age < graceSeconds ? [] : undefined
}
