/** How a metric is made. None has names, tags or URLs as labels: their number has no bound, and they belong to tenants. */
import { Metric } from "effect"

/** 5 ms to 2 h: an event takes milliseconds, a build may take hours. */
export const boundaries = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200
]

export const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

/** Of seconds. */
export const histogram = (name: string, description: string) => Metric.histogram(name, { description, boundaries })
