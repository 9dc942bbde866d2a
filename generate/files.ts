/** All files that are made of the code, by their path in the repository. */
import { Effect, FileSystem } from "effect"
import { stringify } from "yaml"
import { type Definition, functionsAmong, serversAmong } from "../lib/runtime/definition.ts"
import { kindsOf } from "../lib/runtime/function.ts"
import { loadDefinitions } from "../lib/runtime/load.ts"
import { makeCrd } from "./crd.ts"
import { makeDecisions } from "./decisions.ts"
import { makeDeployment, makeServer } from "./deployment.ts"
import { makeKnativeService } from "./knative-service.ts"
import { makeEmbeddedKustomization, makeKustomization, makeServersKustomization, resourcesOf } from "./kustomization.ts"
import { makeAccount, makeRbac } from "./rbac.ts"
import { pagesOf } from "./pages.ts"
import { makeSources, makeSourcesRbac, sourcesNotes } from "./sources.ts"
import { textsPage } from "./texts.ts"
import { makeTriggers } from "./triggers.ts"

/** The first line of every file that is wholly made of the code: one that has it and is not made any more is deleted. */
const header = "# Made by `npm run generate`; edit what it is made of instead.\n"

const yaml = (documents: ReadonlyArray<object>, notes = ""): string =>
  header +
  notes.replaceAll("\n", "\n# ").replace("\n", "").replaceAll(/ +$/gm, "") +
  (notes === "" ? "" : "\n") +
  documents.map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n")

/** The manifests of the functions and servers, and of the kinds that they name. */
export const manifestsOf = (definitions: ReadonlyArray<Definition>): Readonly<Record<string, string>> => {
  const functions = functionsAmong(definitions)
  const servers = serversAmong(definitions)
  const beside = servers.length === 0 ? [] : ["../servers"]
  const crds = kindsOf(definitions).flatMap((kind) =>
    makeCrd(kind).map((crd) => ({ file: `${kind.plural}.yaml`, text: yaml([crd]) }))
  )
  return {
    ...Object.fromEntries(crds.map(({ file, text }) => [`crds/${file}`, text])),
    "crds/kustomization.yaml": yaml([resourcesOf(crds.map(({ file }) => file))]),
    "eventing/triggers.yaml": yaml(makeTriggers(functions)),
    "eventing/sources.yaml": yaml(makeSources(functions), sourcesNotes),
    "eventing/sources-rbac.yaml": yaml(makeSourcesRbac(functions)),
    "embedded/rbac.yaml": yaml(makeRbac(functions)),
    "knative/kustomization.yaml": yaml([makeKustomization(functions, beside)]),
    "embedded/kustomization.yaml": yaml([makeEmbeddedKustomization(beside)]),
    ...(servers.length === 0 ? {} : { "servers/kustomization.yaml": yaml([makeServersKustomization(servers)]) }),
    ...Object.fromEntries(
      servers.map((server) => [`servers/${server.name}.yaml`, yaml([...makeAccount(server), ...makeServer(server)])])
    ),
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
  const definitions = yield* loadDefinitions(new URL("../functions/", import.meta.url))
  return {
    ...pagesOf(definitions),
    "docs/texts.md": yield* textsPage,
    "docs/decisions.md": yield* makeDecisions(functionsAmong(definitions).map(({ name }) => name)),
    ...manifestsOf(definitions)
  }
})

/** Files that were made once and are not any more, in the folders of those that are. */
export const left = Effect.fnUntraced(function* (made: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const folders = new Set(Object.keys(made).flatMap((path) => (path.includes("/") ? [path.replace(/[^/]*$/, "")] : [])))
  const there = yield* Effect.forEach(folders, (folder) =>
    Effect.map(files.readDirectory(folder), (names) => names.map((name) => `${folder}${name}`))
  )
  return yield* Effect.filter(
    there.flat().filter((path) => /\.(?:md|yaml)$/.test(path) && !(path in made)),
    (path) => Effect.map(files.readFileString(path), (text) => isMade(text))
  )
})

const isMade = (text: string): boolean => (text.split("\n", 1)[0] ?? "").includes("Made by `npm run generate`")
