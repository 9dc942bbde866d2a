/** What happens to a cluster: processes are killed, nodes restart. None of it asks the API server, which may be away. */
import { Effect, Random, Schedule } from "effect"
import { bringUpCluster } from "../../kind/deploy.ts"
import { output } from "../../tools/command.ts"
import { kubectl, patiently } from "./kubectl.ts"
import { cluster, controlPlane, workers } from "./nodes.ts"

const docker = (...args: ReadonlyArray<string>) => output({ command: "docker", args })

/** Some seconds, each time another number of them. */
export const randomPause = Effect.flatMap(Random.nextIntBetween(1000, 8000), (millis) => Effect.sleep(millis))

// Prints how many it killed, which is none while the container starts.
const kill = "ids=$(pgrep -fx 'node( --[^ ]+)* /app/embedded/main.js') && kill -9 $ids; echo $ids | wc -w"

const killedOn = (worker: string) =>
  docker("exec", worker, "sh", "-c", kill).pipe(
    Effect.map(Number),
    // A node that restarts has nobody to ask.
    Effect.orElseSucceed(() => 0)
  )

/** Kills the functions' process as soon as there is one; kubelet starts it again. */
export const killFunctions = Effect.forEach(workers, killedOn).pipe(
  Effect.repeat({ until: (counts) => counts.some((count) => count > 0), schedule: Schedule.spaced("100 millis") }),
  Effect.asVoid
)

const functionsPods = ["pods", "-n", "enbi-system", "-l", "app.kubernetes.io/name=enbi-functions"]

/** As above, and gives the next process a Pod of its own: kubelet makes one that is killed twice wait ten seconds and more. */
export const killFunctionsAndPod = Effect.andThen(
  killFunctions,
  patiently(kubectl("delete", ...functionsPods, "--force", "--grace-period=0", "--wait=false"))
)

/** The node's kubelet starts it again; this waits until it answers. */
export const killApiServer = Effect.andThen(
  docker("exec", controlPlane, "pkill", "-9", "-x", "kube-apiserver"),
  patiently(kubectl("get", "--raw", "/readyz"))
)

/** As if the power of the second worker had failed: all that ran there is gone, its disk is not. Waits until it is a node again. */
export const restartWorker = Effect.andThen(docker("restart", "-t", "0", `${cluster}-worker2`), bringUpCluster(cluster))
