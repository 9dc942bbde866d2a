/** What the kernel reports about processes that it killed when memory ran out, in the container's own cgroup. */
import { Effect, FileSystem } from "effect"

// Kernel documentation, "Control Group v2": memory.events; cgroup v1 has its count in memory.oom_control since Linux 4.13.
const files = (cgroup: string) => [`${cgroup}/memory.events`, `${cgroup}/memory/memory.oom_control`]

/** How many processes the kernel has ended so far; none where it doesn't say. */
export const killsFor = Effect.fn("killsFor")(function* (cgroup: string) {
  const fs = yield* FileSystem.FileSystem
  const texts = yield* Effect.forEach(files(cgroup), (path) => Effect.orElseSucceed(fs.readFileString(path), () => ""))
  return Number(/^oom_kill (\d+)$/mu.exec(texts.join("\n"))?.[1] ?? 0)
})
