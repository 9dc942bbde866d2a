/** What of a build's log `enbi build` shows. */
import { assert, it } from "@effect/vitest"
import { isStepLine, stepLines } from "../../lib/nixbuild/build-steps.ts"

const path = "/nix/store/00000000000000000000000000000000-app"
const counted = { n: 1, of: 3, what: "app.drv" }

const steps: Readonly<Record<keyof typeof stepLines, string>> = {
  fetchingSource: stepLines.fetchingSource("github:a/b?dir=c"),
  evaluating: stepLines.evaluating("packages.x86_64-linux.app", { url: "github:a/b" }),
  building: stepLines.building(`${path}.drv^out`),
  fetchingPath: stepLines.fetchingPath(counted),
  buildingDerivation: stepLines.buildingDerivation(counted),
  runningScript: stepLines.runningScript(path),
  readingImage: stepLines.readingImage(path),
  imageReady: stepLines.imageReady(`sha256:${"0".repeat(64)}`)
}
for (const [name, line] of Object.entries(steps)) {
  it(`${name} is the builder's: ${line}`, () => assert.isTrue(isStepLine(line)))
}

const others = ["fetching all the things", "building everything", "running tests", "image.png", " 1 of 3: indented"]
for (const line of others) {
  it(`a build may have printed: ${line}`, () => assert.isFalse(isStepLine(line)))
}
