#!/usr/bin/env node
// What `npm link` puts on PATH as enbi. Node 24 runs the sources as they are; an older one hands over to the Node
// that npm installed here.
import { spawnSync } from "node:child_process"
import { constants } from "node:os"
import { fileURLToPath } from "node:url"

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url))

if (process.features.typescript) await import("./main.ts")
else {
  const node = pathOf("../node_modules/node/bin/node")
  const { error, signal, status } = spawnSync(node, [pathOf("main.ts"), ...process.argv.slice(2)], { stdio: "inherit" })
  if (error !== undefined) console.error(`${node} cannot be run: npm install first, in ${pathOf("..")}`)
  process.exitCode = status ?? (signal === null ? 2 : 128 + constants.signals[signal])
}
