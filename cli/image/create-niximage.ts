/** Creates the requested NixImage, or finds it; one that is something else is left as it is. */
import { Console, Effect, Equal, Option } from "effect"
import { type Data, type NixImage, nixImages } from "../../lib/api/niximage.ts"
import { decodeAs, getFrom } from "../../lib/kubernetes/cluster.ts"
import type { KubernetesApi } from "../../lib/kubernetes/connection.ts"
import { pathOf } from "../../lib/kubernetes/kind.ts"
import { pulledImageName } from "../../lib/niximage/pull-name.ts"
import { requestOf } from "../../lib/niximage/request.ts"
import { notAsked } from "../build/create-nixbuild.ts"
import { Trouble } from "../exit.ts"
import type { Content, ImageName } from "./data.ts"

type Api = (typeof KubernetesApi)["Service"]

/** The same words always mean the same one. */
export const makeNixImage = (namespace: string, { repository, tag }: ImageName, content: Content) => {
  // Of what may be a repository's name these have no other characters than the name of an object.
  const isName = /^[a-z0-9.-]{1,253}$/.test(repository)
  return {
    apiVersion: nixImages.apiVersion,
    kind: nixImages.kind,
    metadata: { name: isName ? repository : pulledImageName({ repository, tag }), namespace },
    data: { ...(isName ? {} : { name: repository }), tag, ...content }
  }
}
type Wanted = ReturnType<typeof makeNixImage>

/** A new one, or the one that is there. */
export const requestImage = Effect.fnUntraced(function* (api: Api, wanted: Wanted) {
  const { name, namespace } = wanted.metadata
  return yield* api
    .request("POST", pathOf(nixImages, { namespace }), {
      query: { fieldValidation: "Strict", fieldManager: "enbi" },
      body: { type: "application/json", value: wanted }
    })
    .pipe(
      Effect.flatMap(decodeAs(nixImages)),
      Effect.tap(() => Console.log(`NixImage ${namespace}/${name} is created`)),
      Effect.catchIf(
        ({ reason }) => reason === "AlreadyExists",
        () => Effect.flatMap(getFrom(api)(nixImages, { namespace, name }), (there) => takeUp(wanted, there))
      ),
      Effect.catchTag("KubernetesError", (error) => Effect.fail(notAsked(error)))
    )
})

const takeUp = Effect.fnUntraced(function* (wanted: Wanted, there: Option.Option<NixImage>) {
  const { name, namespace } = wanted.metadata
  if (Option.isNone(there) || there.value.metadata.deletionTimestamp !== undefined) {
    return yield* new Trouble({ message: "A NixImage of this name is being deleted: try again." })
  }
  const differences = differencesBetween(there.value.data, wanted.data)
  if (differences.length === 0) {
    yield* Console.log(`NixImage ${namespace}/${name} is there already`)
    return there.value
  }
  const patch = JSON.stringify([{ op: "replace", path: "/data", value: wanted.data }])
  return yield* new Trouble({
    message: [
      `NixImage ${namespace}/${name} asks for something else, and is left as it is:`,
      ...differences.map((difference) => `  ${difference}`),
      "To change it:",
      `  kubectl patch niximage -n ${namespace} ${name} --type json -p ${quoted(patch)}`
    ].join("\n")
  })
})

// For a shell.
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** Each field that is not the same, in words. */
const differencesBetween = (there: Data, wanted: Data): ReadonlyArray<string> => {
  const [is, asked] = [fieldsOf(there), fieldsOf(wanted)]
  return [...new Set([...is.keys(), ...asked.keys()])]
    .filter((field) => !Equal.equals(is.get(field), asked.get(field)))
    .map((field) => `data.${field} is ${shown(is.get(field))}, and you ask for ${shown(asked.get(field))}`)
}

const fieldsOf = (data: Data): ReadonlyMap<string, unknown> => {
  const { name, packages, systems, tag } = data
  const fields = { tag, name, packages, systems: systems?.toSorted(), ...requestOf({ data }) }
  return new Map(Object.entries(fields).filter(([, value]) => value !== undefined))
}

const shown = (value: unknown): string => (value === undefined ? "absent" : JSON.stringify(value))
