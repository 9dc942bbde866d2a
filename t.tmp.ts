import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { bundle } from "./images/bundle.ts"
await Effect.runPromise(bundle(process.cwd()).pipe(Effect.provide(NodeServices.layer)))
