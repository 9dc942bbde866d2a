/** All files that are made of the code, by their path in the repository. */
import { Effect } from "effect"
import { stringify } from "yaml"
import { loadFunctions } from "../functions.ts"
import { nixBuildCrd } from "./crd.ts"
import { makeDeployment } from "./deployment.ts"
import { makeKnativeService } from "./knative-service.ts"
import { makeKustomization } from "./kustomization.ts"
import { makeAccount, makeRbac } from "./rbac.ts"
import { pages } from "./pages.ts"
import { textsPage } from "./texts.ts"
import { makeTriggers } from "./triggers.ts"

const header = "# Made by `npm run generate`; edit what it is made of instead.\n"

const yaml = (documents: ReadonlyArray<object>): string =>
  header +
  documents.map((document) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n")

export const generated = Effect.gen(function* () {
  const functions = yield* loadFunctions(new URL("../../functions/", import.meta.url))
  return {
    ...pages,
    "docs/texts.md": yield* textsPage,
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
