/** The NixBuilds that the annotations of a Pod ask for, for the containers that wait. */
import { Option } from "effect"
import { reasons } from "../../lib/api/reasons.ts"
import type { Node, Pod } from "../../lib/kubernetes/kinds.ts"
import { nodeArchitectureOf, systemOfNode } from "../../lib/api/system.ts"
import { containersOf, isSameImage, type WaitingContainer, waitingContainers } from "../../lib/nixbuild/waiting-pods.ts"
import {
  annotatedFields,
  annotationOf,
  asksForBuilds,
  type Field,
  isPerContainer,
  meaningless,
  parametersOf,
  type Problem,
  valueOf
} from "./annotations.ts"
import { type Pull, pullsOf } from "./registry.ts"
import { nameForPods, type Wanted } from "../../lib/nixbuild/make.ts"

export interface Request {
  /** Of the NixBuild. */
  readonly name: string
  readonly wanted: Wanted
  /** Those that wait for its image. */
  readonly containers: ReadonlyArray<WaitingContainer>
}

interface Requests {
  readonly requests: ReadonlyArray<Request>
  /** The images of the registry that it waits for. */
  readonly pulls: ReadonlyArray<Pull>
  readonly problems: ReadonlyArray<Problem>
}

/** What the Pod asks for; a Pod names no system, so that comes from the node it is bound to. */
export const requestsOf = (pod: Pod, node: Node | undefined, registry: string): Requests => {
  const unannotated = waitingContainers(pod).filter((container) => !isAnnotated(pod, container))
  const pulls = pullsOf(unannotated, registry)
  const pulled = pulls.flatMap(({ containers }) => containers)
  // Without annotations it asks for what it pulls, and for nothing else.
  const others = pulls.length > 0 && !asksForBuilds(pod) ? [] : waitingContainers(pod)
  const readings = others
    .filter((container) => !pulled.some(({ name }) => name === container.name))
    .map((container) => ({ container, ...read(pod, container) }))
  const problems = [...meaningless(pod), ...readings.flatMap((reading) => reading.problems)]
  const sources = readings.flatMap(({ container, source }) => (source === undefined ? [] : [{ container, source }]))
  const system = systemOfNode(node)
  if (system === undefined) {
    const architecture = nodeArchitectureOf(node)
    const message = `${reasons.SystemUnknown} Node ${node?.metadata.name} ${architecture === undefined ? "has no label kubernetes.io/arch" : `is ${architecture}`}.`
    const unknown: Problem = { reason: "SystemUnknown", message }
    return {
      requests: [],
      pulls,
      problems: [...problems, ...(node === undefined || sources.length === 0 ? [] : [unknown])]
    }
  }
  const requests = sources.map(({ container, source }): Request => {
    const { flakeUrl, imageTag, packageName, ...parameters } = source
    const wanted = { flakeUrl, imageTag, packageName, system, ...parameters }
    return { name: nameForPods(wanted), wanted, containers: [container] }
  })
  return {
    pulls,
    problems: problems.filter(
      ({ message }, index) => problems.findIndex((other) => other.message === message) === index
    ),
    requests: [...Map.groupBy(requests, ({ name }) => name).values()].flatMap((alike) =>
      alike.slice(0, 1).map((first) => ({ ...first, containers: alike.flatMap(({ containers }) => containers) }))
    )
  }
}

/** The Pod's imageTag, if it is the container's image. */
const podTagOf = ({ metadata }: Pod, { image }: WaitingContainer): string | undefined => {
  const podTag = metadata.annotations?.[annotationOf("imageTag")]
  return podTag !== undefined && isSameImage(podTag, image) ? podTag : undefined
}

/** Whether an annotation speaks of the container or of its image. */
const isAnnotated = (pod: Pod, container: WaitingContainer): boolean =>
  annotatedFields(pod, container.name).length > 0 || podTagOf(pod, container) !== undefined

type Source = Omit<Wanted, "system">
type Reading = { readonly source?: Source; readonly problems: ReadonlyArray<Problem> }

/**
 * | field                           | the container's own annotation, or else                          |
 * |---------------------------------|------------------------------------------------------------------|
 * | flakeUrl                        | the Pod's                                                        |
 * | imageTag                        | the container's image                                            |
 * | packageName                     | the Pod's, if the Pod's imageTag is the container's image        |
 * | sandbox, timeoutSeconds, resources | the Pod's                                                     |
 */
const read = (pod: Pod, container: WaitingContainer): Reading => {
  const { image, name } = container
  if (!isAnnotated(pod, container)) return { problems: [whyUnnamed(pod, container)] }
  const own = annotatedFields(pod, name)
  const podTag = podTagOf(pod, container)
  const of = (field: Field) => Option.getOrUndefined(valueOf(pod, field, name))?.text
  const imageTag = own.includes("imageTag") ? of("imageTag") : (podTag ?? image)
  if (imageTag === undefined || !isSameImage(imageTag, image)) {
    const message = `The image of container ${name} is not built: it waits for ${image}, but the annotation ${annotationOf("imageTag", name)} names ${imageTag}.`
    return { problems: [{ reason: "ImageTagDiffers", message }] }
  }
  const flakeUrl = of("flakeUrl")
  const packageName = own.includes("packageName") || podTag !== undefined ? of("packageName") : undefined
  if (flakeUrl === undefined || packageName === undefined) {
    const missing = [
      ...(flakeUrl === undefined ? (["flakeUrl"] as const) : []),
      ...(packageName === undefined ? (["packageName"] as const) : [])
    ]
    return { problems: [own.length === 0 ? lacksForPod(missing) : lacksForContainer(missing, name)] }
  }
  const { parameters, problems } = parametersOf(pod, name)
  return problems.length > 0 ? { problems } : { source: { flakeUrl, imageTag, packageName, ...parameters }, problems }
}

const lacksForPod = (missing: ReadonlyArray<Field>): Problem => ({
  reason: "AnnotationMissing",
  message: `No image is built for this Pod: it lacks ${listed(missing.map((field) => annotationOf(field)))}.`
})

const lacksForContainer = (missing: ReadonlyArray<Field>, name: string): Problem => ({
  reason: "AnnotationMissing",
  message: `The image of container ${name} is not built: the Pod lacks ${listed(missing.map((field) => annotationOf(field, name)))}.`
})

const listed = (names: ReadonlyArray<string>): string =>
  names.length === 1
    ? `the annotation ${names[0]}`
    : `the annotations ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

/** No annotation speaks of the container or of its image. */
const whyUnnamed = (pod: Pod, { image, name }: WaitingContainer): Problem => {
  const annotated = annotatedFields(pod)
  const podTag = pod.metadata.annotations?.[annotationOf("imageTag")]
  const isAlone = !isPerContainer(pod)
  if (podTag === undefined && annotated.length > 0 && isAlone) {
    return lacksForPod(needed.filter((field) => !annotated.includes(field)))
  }
  if (podTag !== undefined && isAlone && containersOf(pod).every(({ image: own = "" }) => !isSameImage(own, podTag))) {
    const images = waitingContainers(pod).map((container) => container.image)
    return {
      reason: "ImageTagDiffers",
      message: `No image is built for this Pod: its containers wait for ${images.join(", ")}, but its annotation ${annotationOf("imageTag")} names ${podTag}.`
    }
  }
  const flake = annotated.includes("flakeUrl") ? "" : `, and ${annotationOf("flakeUrl", name)} to its flake`
  return {
    reason: "AnnotationMissing",
    message: `No annotation names ${image}, the image of container ${name}, so it is not built. To build it, set the annotation ${annotationOf("packageName", name)} to its package${flake}.`
  }
}

const needed: ReadonlyArray<Field> = ["flakeUrl", "imageTag", "packageName"]
