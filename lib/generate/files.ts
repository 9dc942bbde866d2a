/** All files that are made of the code, by their path in the repository. */
import { Effect, FileSystem } from "effect"
import { stringify } from "yaml"
import type { EnbiFunction } from "../function.ts"
import { kindsOf } from "../function.ts"
import { loadFunctions } from "../functions.ts"
import { makeCrd } from "./crd.ts"
import { makeDeployment } from "./deployment.ts"
import { makeKnativeService } from "./knative-service.ts"
import { makeKustomization, resourcesOf } from "./kustomization.ts"
import { makeAccount, makeRbac } from "./rbac.ts"
import { pagesOf } from "./pages.ts"
import { makeSources, makeSourcesRbac, sourcesNotes } from "./sources.ts"
import { textsPage } from "./texts.ts"
import { makeTriggers } from "./triggers.ts"

/** The first line of every file that is wholly made of the code: one that has it and is not made any more is deleted. */
export const header = "# Made by `npm run generate`; edit what it is made of instead.\n"

const yaml = (documents: ReadonlyArray<object>, notes = ""): string =>
  header +
  notes.replaceAll("\n", "\n# ").replace("\n", "").replaceAll(/ +$/gm, "") +
  (notes === "" ? "" : "\n") +
  documents.map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n")

/** The manifests of the functions and of the kinds that they name. */
export const manifestsOf = (functions: ReadonlyArray<EnbiFunction<unknown>>): Readonly<Record<string, string>> => {
  const crds = kindsOf(functions).flatMap((kind) =>
    makeCrd(kind).map((crd) => ({ file: `${kind.plural}.yaml`, text: yaml([crd]) }))
  )
  return {
    ...Object.fromEntries(crds.map(({ file, text }) => [`crds/${file}`, text])),
    "crds/kustomization.yaml": yaml([resourcesOf(crds.map(({ file }) => file))]),
    "eventing/triggers.yaml": yaml(makeTriggers(functions)),
    "eventing/sources.yaml": yaml(makeSources(functions), sourcesNotes),
    "eventing/sources-rbac.yaml": yaml(makeSourcesRbac(functions)),
    "embedded/rbac.yaml": yaml(makeRbac(functions)),
    "knative/kustomization.yaml": yaml([makeKustomization(functions)]),
    "without-serving/deployments.yaml": yaml(functions.flatMap(makeDeployment)),
    ...Object.fromEntries(
      functions.map((definition) => [
        `knative/${definition.name}.yaml`,
        yaml([...makeAccount(definition), makeKnativeService(definition)])
      ])
    )
  }
}

export const generated = Effect.gen(function* () {
  const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  return { ...pagesOf(kindsOf(functions)), "docs/texts.md": yield* textsPage, ...manifestsOf(functions) }
})

/** Files that were made once and are not any more, in the folders of those that are. */
export const left = Effect.fnUntraced(function* (made: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const folders = new Set(Object.keys(made).flatMap((path) => (path.includes("/") ? [path.replace(/[^/]*$/, "")] : [])))
  const there = yield* Effect.forEach(folders, (folder) =>
    Effect.map(files.readDirectory(folder), (names) => names.map((name) => `${folder}${name}`))
  )
  return yield* Effect.filter(
    there.flat().filter((path) => path.endsWith(".yaml") && !(path in made)),
    (path) => Effect.map(files.readFileString(path), (text) => text.startsWith(header))
  )
})
