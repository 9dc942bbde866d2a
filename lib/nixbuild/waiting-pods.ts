/** Which of a Pod's containers wait for an image that is not there, and whether it is a given one. */
import { Option } from "effect"
import type { Pod } from "../kubernetes/kinds.ts"
import { normalizeReference } from "../oci/reference.ts"

export interface WaitingContainer {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy: string
}

// kubelet's words for a container whose image is missing: pkg/kubelet/images/types.go and, for what a container runtime
// says itself, cri-api/pkg/errors. ImageInspectError and InvalidImageName are none of them: no image helps there.
const missingImage: ReadonlyArray<string | undefined> = [
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "RegistryUnavailable",
  "SignatureValidationFailed"
]

/** All containers of a Pod: those that run first, its own, and those that debug it. */
export const containersOf = ({ spec }: Pod) => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...(spec.ephemeralContainers ?? [])
]

/** What kubelet says of them. */
export const containerStatusesOf = ({ status }: Pod) => [
  ...(status?.initContainerStatuses ?? []),
  ...(status?.containerStatuses ?? []),
  ...(status?.ephemeralContainerStatuses ?? [])
]

export const waitingContainers = (pod: Pod): ReadonlyArray<WaitingContainer> => {
  const waiting = containerStatusesOf(pod)
    .filter((container) => missingImage.includes(container.state?.waiting?.reason))
    .map((container) => container.name)
  return containersOf(pod)
    .filter((container) => waiting.includes(container.name))
    .map(({ image = "", imagePullPolicy = "IfNotPresent", name }) => ({ name, image, imagePullPolicy }))
}

/** Whether two names mean one image: `x:1` is `docker.io/library/x:1`. */
export const isSameImage = (a: string, b: string): boolean => {
  const [first, second] = [normalizeReference(a), normalizeReference(b)]
  return Option.isSome(first) && Option.isSome(second) && first.value === second.value
}

/** The images in full that a Pod waits for. One on its way out waits for nothing, and one that always pulls uses none. */
export const awaitedImages = (pod: Pod): ReadonlyArray<string> =>
  pod.metadata.deletionTimestamp === undefined
    ? waitingContainers(pod)
        .filter(({ imagePullPolicy }) => imagePullPolicy !== "Always")
        .flatMap(({ image }) => Option.toArray(normalizeReference(image)))
    : []

export const isWaitingFor = (pod: Pod, imageTag: string): boolean =>
  Option.exists(normalizeReference(imageTag), (image) => awaitedImages(pod).includes(image))
