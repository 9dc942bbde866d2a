/** The cluster of an API server in memory with no cache before it: what is read is what is there. */
import { Layer, Stream } from "effect"
import { Cluster, getFrom, listFrom, writesOf } from "../../lib/cluster.ts"
import type { ApiServer } from "./api-server.ts"

export const liveCluster = (server: ApiServer) => {
  const api = server.connect(() => Stream.never)
  const [get, list] = [getFrom(api), listFrom(api)]
  return Layer.succeed(Cluster, { get, getFresh: get, list, listFresh: list, ...writesOf(api) })
}
