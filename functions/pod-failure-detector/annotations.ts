/**
 * The annotations by which a Pod asks for builds. `enbi.hrzn.ee/nixbuild-…`
 * speaks for the Pod, `<container>.enbi.hrzn.ee/nixbuild-…` for one container.
 */
import { Option, Schema } from "effect"
import type { Reason } from "../../lib/api/reasons.ts"
import type { Pod } from "../../lib/kubernetes/kinds.ts"
import { Resources, TimeoutSeconds } from "../../lib/api/nixbuild.ts"
import { containersOf } from "../../lib/nixbuild/waiting-pods.ts"

/** Why nothing is built, or not all. */
export interface Problem {
  readonly reason: Reason
  readonly message: string
}

/** Fields of a NixBuild's spec. */
const fields = ["flakeUrl", "imageTag", "packageName", "sandbox", "timeoutSeconds", "resources"] as const
export type Field = (typeof fields)[number]

// The container stands before the slash: a name ends at 63 characters on either side of it, and a container's may be as long.
export const annotationOf = (field: Field, container?: string): string =>
  `${container === undefined ? "" : `${container}.`}enbi.hrzn.ee/nixbuild-${field}`

const pattern = /^(?:([a-z0-9-]+)\.)?enbi\.hrzn\.ee\/nixbuild-(.*)$/

/** Whether any of its annotations asks for a build. */
export const asksForBuilds = ({ metadata }: Pod): boolean =>
  Object.keys(metadata.annotations ?? {}).some((key) => pattern.test(key))

/** Which fields are annotated for this container, or for the Pod. */
export const annotatedFields = ({ metadata }: Pod, container?: string): ReadonlyArray<Field> =>
  fields.filter((field) => metadata.annotations?.[annotationOf(field, container)] !== undefined)

/** Whether some container has an annotation of its own. */
export const isPerContainer = (pod: Pod): boolean =>
  containersOf(pod).some(({ name }) => annotatedFields(pod, name).length > 0)

/** What the container's own annotation says, or else the Pod's. */
export const valueOf = ({ metadata }: Pod, field: Field, container: string): Option.Option<Annotated> =>
  Option.fromNullishOr(
    [annotationOf(field, container), annotationOf(field)]
      .map((key) => ({ key, text: metadata.annotations?.[key] }))
      .find((annotated): annotated is Annotated => annotated.text !== undefined)
  )

interface Annotated {
  readonly key: string
  readonly text: string
}

/** Annotations that mean nothing, as after a slip of the pen. */
export const meaningless = (pod: Pod): ReadonlyArray<Problem> => {
  const names = containersOf(pod).map(({ name }) => name)
  return Object.keys(pod.metadata.annotations ?? {}).flatMap((key): ReadonlyArray<Problem> => {
    const [found, container, field] = pattern.exec(key) ?? []
    if (found === undefined) return []
    if (container !== undefined && !names.includes(container)) {
      return [
        invalid(`The annotation ${key} names the container ${container}, but this Pod has only ${names.join(", ")}.`)
      ]
    }
    return fields.some((known) => known === field)
      ? []
      : [invalid(`The annotation ${key} is unknown. Known are nixbuild-${fields.join(", nixbuild-")}.`)]
  })
}

const invalid = (message: string): Problem => ({ reason: "AnnotationInvalid", message })

/** What beside the source of the image may be asked for, as it stands in the NixBuild's spec. */
export interface Parameters {
  readonly sandbox?: boolean
  readonly timeoutSeconds?: number
  readonly resources?: typeof Resources.Type
}

/** What is asked for the container's build, and what can't be read of it. */
export const parametersOf = (
  pod: Pod,
  container: string
): { readonly parameters: Parameters; readonly problems: ReadonlyArray<Problem> } => {
  const read = <A>(field: Field, { form, parse }: Form<A>) =>
    Option.match(valueOf(pod, field, container), {
      onNone: (): Read<A> => ({ values: [], problems: [] }),
      onSome: ({ key, text }): Read<A> =>
        Option.match(parse(text), {
          onNone: () => ({
            values: [],
            problems: [
              invalid(
                `The image of container ${container} is not built: the annotation ${key} must be ${form}, but is ${shortened(text)}.`
              )
            ]
          }),
          onSome: (value) => ({ values: [value], problems: [] })
        })
    })
  const all = {
    sandbox: read("sandbox", sandbox),
    timeoutSeconds: read("timeoutSeconds", timeoutSeconds),
    resources: read("resources", resources)
  }
  const [[isSandboxed], [seconds], [amounts]] = [all.sandbox.values, all.timeoutSeconds.values, all.resources.values]
  return {
    parameters: {
      ...(isSandboxed === undefined ? {} : { sandbox: isSandboxed }),
      ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
      ...(amounts === undefined ? {} : { resources: amounts })
    },
    problems: Object.values(all).flatMap(({ problems }) => problems)
  }
}

interface Read<A> {
  readonly values: ReadonlyArray<A>
  readonly problems: ReadonlyArray<Problem>
}

interface Form<A> {
  readonly parse: (text: string) => Option.Option<A>
  readonly form: string
}

const sandbox: Form<boolean> = {
  parse: (text) => (text === "true" || text === "false" ? Option.some(text === "true") : Option.none()),
  form: `"true" or "false"`
}

const isTimeout = Schema.is(TimeoutSeconds)

const timeoutSeconds: Form<number> = {
  parse: (text) => (/^\d+$/.test(text) && isTimeout(Number(text)) ? Option.some(Number(text)) : Option.none()),
  form: "a whole number of seconds from 1 to 604800"
}

// Kubernetes, "Quantity", without a sign.
const quantity = /^(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/

const readResources = Schema.decodeUnknownOption(Schema.fromJsonString(Resources), { onExcessProperty: "error" })

const resources: Form<typeof Resources.Type> = {
  parse: (text) =>
    Option.filter(readResources(text), (read) =>
      Object.values(read)
        .flatMap((quantities) => Object.values(quantities))
        .every((value) => quantity.test(String(value)))
    ),
  form: `the resources of a container as JSON, such as {"limits":{"memory":"4Gi"}}`
}

// The message tells more than what is wrong, and an Event's message ends at 1000 characters.
const shortened = (text: string): string => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
