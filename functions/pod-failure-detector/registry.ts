/**
 * Containers that wait for an image of our registry: the name says what is in
 * it, so it needs no annotation. A NixImage that has the name is followed;
 * where there is none, one is made in the Pod's namespace.
 */
import type { Action } from "../../lib/runtime/action.ts"
import { type NixImage, nixImages, ownNameOf } from "../../lib/api/niximage.ts"
import { systemOfNode } from "../../lib/api/system.ts"
import { lastLines } from "../../lib/last-lines.ts"
import type { WaitingContainer } from "../../lib/nixbuild/waiting-pods.ts"
import {
  contentsOf,
  isNamed,
  isServedAs,
  makePulledImage,
  type PullName,
  pulledImageName,
  pullNameOf,
  textOf
} from "../../lib/niximage/pull-name.ts"
import type { Observed } from "./observe.ts"
import { record } from "./record.ts"

/** What a Pod wants of the registry, and the containers that wait for it. */
export interface Pull {
  readonly name: PullName
  readonly containers: ReadonlyArray<WaitingContainer>
}

/** The images of the registry that containers wait for, each once. */
export const pullsOf = (containers: ReadonlyArray<WaitingContainer>, registry: string): ReadonlyArray<Pull> => {
  const waiting = containers.flatMap((container) => {
    const name = pullNameOf(container.image, registry)
    return name === undefined ? [] : [{ name, container }]
  })
  return [...Map.groupBy(waiting, ({ name }) => textOf(name)).values()].flatMap((alike) =>
    alike.slice(0, 1).map(({ name }) => ({ name, containers: alike.map(({ container }) => container) }))
  )
}

export const followPull = (observed: Observed, { containers, name }: Pull): ReadonlyArray<Action> => {
  const image = imageNamed(observed, name)
  const who = containers.map((container) => container.name).join(", ")
  if (image === undefined) return makeImage(observed, { name, who })
  const { name: own, namespace, uid } = image.metadata
  if (image.metadata.deletionTimestamp !== undefined) return []
  const { failure, systems = [] } = image.status ?? {}
  const here = systems.find(({ system }) => system === systemOfNode(observed.node))
  const about = `NixImage ${namespace}/${own}`
  // What fails for the nodes of another system is nothing to this Pod.
  if (failure !== undefined && (here === undefined || here.status === "Failed")) {
    const log = failure.log === undefined || failure.log === "" ? "" : `\n${lastLines(failure.log, 500)}`
    const failed = systems.flatMap(({ build, status }) => (status === "Failed" ? [build] : []))
    return record(observed, {
      reason: failure.reason,
      message: `${about} failed: ${failure.message}${log}`,
      key: [uid, ...failed.slice(0, 1)].join(" ")
    })
  }
  const always = containers.filter(({ imagePullPolicy }) => imagePullPolicy === "Always").map((one) => one.name)
  const late =
    always.length === 0
      ? ""
      : `. With imagePullPolicy Always, ${always.join(", ")} starts at the kubelet's next pull, up to five minutes after that.`
  return record(observed, {
    reason: "ImageBuilding",
    message: `${about} makes the image of container ${who}: kubectl describe niximage -n ${namespace} ${own}${late}`,
    key: uid
  })
}

/** Who has the name is meant, else who is in the Pod's own namespace, else who may get it. */
const imageNamed = ({ images, pod }: Observed, name: PullName): NixImage | undefined => {
  const named = images.filter((image) => isNamed(image, name))
  return (
    // With its namespace in front it is that namespace's, whoever else has called his so.
    named.find((image) => ownNameOf(image) === textOf(name)) ??
    named.find((image) => isServedAs(image, name)) ??
    named.find(({ metadata }) => metadata.namespace === pod.metadata.namespace) ??
    named[0]
  )
}

const makeImage = (
  observed: Observed,
  { name, who }: { readonly name: PullName; readonly who: string }
): ReadonlyArray<Action> => {
  const { pod, refusals, settings } = observed
  const refusal = refusals.find((one) => one.kind === nixImages.kind && one.name === pulledImageName(name))
  if (refusal?.isLasting === false) return []
  if (refusal !== undefined) {
    const message = `The image of container ${who} is not built: ${refusal.message}`
    return record(observed, {
      reason: "NixImageRefused",
      message,
      // A quota counts in its message, and a number more is nothing new.
      key: `${textOf(name)} ${refusal.message.replace(/\d+/g, "")}`
    })
  }
  const contents = contentsOf(name, settings.packageSet)
  if ("problem" in contents) {
    const message = `The image of container ${who} is not built: ${textOf(name)} ${contents.problem}.`
    return record(observed, { reason: "ImageNameInvalid", message, key: message })
  }
  return [
    {
      action: "Create",
      why: `Pod ${pod.metadata.name} waits for ${textOf(name)}`,
      object: makePulledImage(name, pod.metadata.namespace, contents)
    }
  ]
}
