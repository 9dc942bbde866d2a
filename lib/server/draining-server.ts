/**
 * An HTTP server for Knative's senders, that comes to an end: once it closes,
 * each connection ends with the response that is under way on it. Node's own
 * leaves them open, and the senders keep theirs for 90 s, longer than a Pod has
 * to end.
 */
import { Server, type ServerResponse } from "node:http"

// Within the 30 s that Kubernetes gives by default; a sender that stopped halfway gets no more.
const maxDrainMillis = 20_000

export class DrainingServer extends Server {
  readonly #responses = new Set<ServerResponse>()

  constructor() {
    super({
      // The senders close idle connections after 90 s. If we did so first, an event could meet a closing one.
      keepAliveTimeout: 120_000,
      // An event that comes in slowly holds a place that others wait for.
      requestTimeout: 30_000
    })
    this.on("request", (_, response) => {
      this.#responses.add(response)
      response.once("close", () => this.#responses.delete(response))
      if (!this.listening) response.shouldKeepAlive = false
    })
  }

  override close(callback?: (error?: Error) => void): this {
    for (const response of this.#responses) response.shouldKeepAlive = false
    setTimeout(() => this.closeAllConnections(), maxDrainMillis).unref()
    return super.close(callback)
  }
}
