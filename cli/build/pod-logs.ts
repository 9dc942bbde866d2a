/**
 * The logs of Pods. Ours and not client-node's `Log`: a build may be silent for
 * long, and that one then ends the whole process; nor does it tell why the API
 * server refuses.
 */
import { Effect, Stream } from "effect"
import { HttpClientRequest } from "effect/http"
import { pathOf } from "../../lib/kubernetes/kind.ts"
import { type Pod, pods } from "../../lib/kubernetes/kinds.ts"
import type { KubernetesError } from "../../lib/kubernetes/error.ts"
import { fromClient, type Requests } from "../../lib/kubernetes/requests.ts"

/** Of which container, and how much of it. */
export interface Log {
  readonly pod: Pod
  readonly container: string
  /** Go on until the container ends. */
  readonly follow?: boolean
  /** Each line begins with its time. */
  readonly timestamps?: boolean
}

/** Line by line as it comes; between two lines may pass as long as it takes. */
export const makeLogs =
  ({ send }: Pick<Requests, "send">) =>
  ({ container, follow = false, pod, timestamps = false }: Log): Stream.Stream<string, KubernetesError> =>
    HttpClientRequest.get(`${pathOf(pods, pod.metadata)}/log`).pipe(
      HttpClientRequest.setUrlParams({ container, follow, timestamps }),
      (request) => send("GET", request),
      Effect.map(({ stream }) => stream.pipe(Stream.mapError(fromClient), Stream.decodeText, Stream.splitLines)),
      Stream.unwrap
    )

/** The containers of a Pod, those that run before the others first. */
export const containersOf = ({ spec }: Pod): ReadonlyArray<string> =>
  [spec.initContainers, spec.containers, spec.ephemeralContainers].flatMap((all = []) => all.map(({ name }) => name))

/** The one that does the Pod's work. */
export const firstContainerOf = ({ spec }: Pod): string => spec.containers[0]?.name ?? ""
