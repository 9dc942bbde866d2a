/**
 * A Pod that fails to start for want of the image that its annotations name
 * gets a NixBuild, or one more node in the NixBuild that is there; `scheduler`
 * acts next. What stands in the way is told in an Event on the Pod, because
 * that is where people look. Sets no condition.
 */
import { type Action, referTo } from "../../lib/action.ts"
import { type Condition, obstacles, type Reason, reasons } from "../../lib/api/condition.ts"
import type { Pod } from "../../lib/api/kubernetes.ts"
import { conditionsOf, endedAttempt, type NixBuild, nodeStatusOf } from "../../lib/api/nixbuild.ts"
import { imageTagAnnotation } from "../../lib/keys.ts"
import { lastLines } from "../../lib/last-lines.ts"
import { say, sayingName } from "../../lib/say.ts"
import { isSameImage, waitingContainers } from "../../lib/waiting.ts"
import { annotations, annotationsOf, makeNixBuild, refusalName, wishOf } from "./nixbuild.ts"
import type { Observed } from "./observe.ts"

type World = typeof Observed.Type

export const decide = (world: World): ReadonlyArray<Action> => {
  const { build, node, pod } = world
  const waiting = waitingContainers(pod)
  if (isNotOurs(pod) || waiting.length === 0 || pod.spec.nodeName === undefined) return []
  const has = annotationsOf(pod)
  if (has.length < annotations.length) {
    const missing = annotations.filter((annotation) => !has.includes(annotation)).join(", ")
    return tell(world, "AnnotationMissing", `No image is built for this Pod: it lacks the annotation ${missing}.`)
  }
  const imageTag = pod.metadata.annotations?.[imageTagAnnotation] ?? ""
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  if (!containers.some(({ image = "" }) => isSameImage(image, imageTag))) {
    return tell(
      world,
      "ImageTagDiffers",
      `No image is built for this Pod: its containers wait for ${waiting.map(({ image }) => image).join(", ")}, but its annotation ${imageTagAnnotation} names ${imageTag}.`
    )
  }
  const asking = waiting.filter((container) => isSameImage(container.image, imageTag))
  if (asking.length === 0) return []
  if (asking.every((container) => container.imagePullPolicy === "Always")) {
    return tell(
      world,
      "ImagePullPolicyAlways",
      `No image is built for this Pod: container ${asking.map(({ name }) => name).join(", ")} has imagePullPolicy Always, so the kubelet would ask the registry and never use it. Set imagePullPolicy: IfNotPresent.`
    )
  }
  const wish = wishOf(pod, node)
  if (wish === undefined) {
    return node === undefined
      ? []
      : tell(
          world,
          "SystemUnknown",
          `${reasons.SystemUnknown} ${node.metadata.name} is ${node.metadata.labels?.["kubernetes.io/arch"] ?? "without one"}.`
        )
  }
  if (build !== undefined) return join(world, { build, nodeName: pod.spec.nodeName })
  if (world.said.includes(refusalName(pod, wish))) return []
  const wanted = makeNixBuild(pod, wish)
  if (world.refusal !== undefined) {
    return tell(
      world,
      "NixBuildRefused",
      `No image is built for this Pod: ${world.refusal.message}`,
      wanted.metadata.name
    )
  }
  return [
    { action: "Create", why: `Pod ${pod.metadata.name} waits for ${imageTag}`, object: wanted },
    ...tellBuilding(world, wanted.metadata.name)
  ]
}

// Static Pods answer to a node's files and not to the API server, and kube-system is not anybody's application.
const isNotOurs = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined ||
  metadata.namespace === "kube-system" ||
  metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined ||
  status?.phase === "Succeeded" ||
  status?.phase === "Failed"

const join = (world: World, { build, nodeName }: { readonly build: NixBuild; readonly nodeName: string }) => {
  if (build.metadata.deletionTimestamp !== undefined) return []
  const failed = conditionsOf(build).find((condition) => condition.type === "Success" && condition.status === "False")
  if (failed !== undefined) return tellFailure(world, { build, failed })
  const there = nodeStatusOf(build, nodeName)
  if (there?.reason === "ImagePulled") return []
  // Neither has failed: what keeps it from beginning may pass.
  if (there?.message !== undefined) {
    const message = `NixBuild ${build.metadata.name} waits on ${nodeName}: ${there.message}`
    return tell(world, there.reason, message, build.metadata.uid)
  }
  if (there !== undefined && there.reason !== "JobCreated") {
    const { name, uid } = build.metadata
    const next =
      there.retryTime === undefined
        ? `kubectl describe nixbuild ${name}`
        : `attempt ${there.attempt} begins at ${there.retryTime}. ${reasons[there.reason]}`
    return tell(
      world,
      there.reason,
      `NixBuild ${name} did not bring the image to ${nodeName}: ${next}`,
      `${uid} ${endedAttempt(there)}`
    )
  }
  return [
    ...(build.spec.nodes.includes(nodeName) ? [] : [addNode(build, nodeName)]),
    ...tellBuilding(world, build.metadata.name),
    ...tellObstacle(world, build)
  ]
}

const tellObstacle = (world: World, build: NixBuild): ReadonlyArray<Action> =>
  conditionsOf(build)
    // `Ready` repeats the words of the condition that holds the build up.
    .filter(({ reason, status, type }) => type !== "Ready" && status === "False" && obstacles.includes(reason))
    .flatMap(({ message, reason }) =>
      tell(world, reason, `NixBuild ${build.metadata.name} waits: ${message}`, build.metadata.uid)
    )

const tellBuilding = (world: World, name: string): ReadonlyArray<Action> =>
  tell(world, "ImageBuilding", `NixBuild ${name} builds the image of this Pod: kubectl describe nixbuild ${name}`, name)

const addNode = (build: NixBuild, nodeName: string): Action => ({
  action: "Patch",
  why: `A Pod on ${nodeName} waits for the image`,
  target: referTo("NixBuild", build),
  patch: { spec: { nodes: [...build.spec.nodes, nodeName] } }
})

const tellFailure = (
  world: World,
  { build, failed }: { readonly build: NixBuild; readonly failed: Condition }
): ReadonlyArray<Action> => {
  const log = build.status?.failure?.log ?? ""
  return tell(
    world,
    failed.reason,
    `NixBuild ${build.metadata.name} failed: ${failed.message}${log === "" ? "" : `\n${lastLines(log, 500)}`}`,
    build.metadata.uid
  )
}

const tell = (world: World, reason: Reason, message: string, key = ""): ReadonlyArray<Action> => {
  const about = world.pod.metadata
  const type = reason === "ImageBuilding" ? "Normal" : "Warning"
  return world.said.includes(sayingName({ about, reason, key }))
    ? []
    : [say({ regarding: "Pod", about, type, reason, message, time: world.time, key })]
}
