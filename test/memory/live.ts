/** The cluster of an API server in memory with no cache before it: what is read is what is there. */
import { Layer, Stream } from "effect"
import { Cluster, live } from "../../lib/kubernetes/cluster.ts"
import type { ApiServer } from "./api-server.ts"

export const liveCluster = (server: ApiServer) => Layer.succeed(Cluster, live(server.connect(() => Stream.never)))
