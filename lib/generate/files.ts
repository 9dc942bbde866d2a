/** All files that are made of the code, by their path in the repository. */
import { Effect, FileSystem } from "effect"
import { stringify } from "yaml"
import { loadFunctions } from "../functions.ts"
import { nixBuildCrd } from "./crd.ts"
import { makeDecisions } from "./decisions.ts"
import { makeDeployment } from "./deployment.ts"
import { makeKnativeService } from "./knative-service.ts"
import { makeKustomization } from "./kustomization.ts"
import { makeAccount, makeRbac } from "./rbac.ts"
import { withTables } from "./readme.ts"
import { makeTriggers } from "./triggers.ts"

const header = "# Made by `npm run generate`; edit what it is made of instead.\n"

const yaml = (documents: ReadonlyArray<object>): string =>
  header +
  documents.map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n")

export const generated = Effect.gen(function* () {
  const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  const files = yield* FileSystem.FileSystem
  return {
    "README.md": yield* withTables(yield* files.readFileString("README.md")),
    "docs/decisions.md": yield* makeDecisions(functions.map(({ name }) => name)),
    "crds/nixbuilds.yaml": yaml([nixBuildCrd()]),
    "eventing/triggers.yaml": yaml(makeTriggers(functions)),
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
})
