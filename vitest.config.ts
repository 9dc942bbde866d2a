import { defineConfig } from "vitest/config"

/** Tests that others would disturb, or that disturb others: these have the cluster to themselves, one after the other. */
const alone = [
  // Counts what is asked of the API server while nothing happens.
  "blocked",
  // Kills what everybody needs, and then counts all writes.
  "chaos",
  // Reads the functions' whole log.
  "debugging",
  // Run functions beside those of the cluster, or in their place.
  "deployments",
  "knative",
  "process",
  // Has the nodes ask a program of its own about every connection.
  "egress",
  // Fills all slots, and counts who waits.
  "fair",
  // Refuses the flakes of all other tests.
  "plain-http"
].map((name) => `test/cluster/${name}.test.ts`)

const cluster = {
  globalSetup: ["test/cluster/setup.ts"],
  // Each wait in them is bounded, and a machine that is slow has not failed: these are for what hangs.
  testTimeout: 1_200_000,
  hookTimeout: 1_200_000
}

export default defineConfig({
  test: {
    // Effect and the Schemas are loaded once for a worker, not once for a file: half of the time went there.
    isolate: false,
    // Vitest leaves one processor to others, and most tests wait now and then.
    maxWorkers: "100%",
    // `npm run check`: what decides has no branch without a golden pair, or a test beside them. Left out: what uses Effect.
    coverage: {
      include: ["functions/**/*.ts"],
      exclude: [
        ...["function", "look", "observe*", "phases", "server", "started"].map((name) => `functions/**/${name}.ts`),
        "functions/image-registry/{buffers,publish,registry,settings,storage,store}.ts"
      ],
      reporter: [["text", { skipFull: true }]],
      thresholds: { branches: 100 }
    },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/architecture/**", "test/cluster/**", "test/memory/**", "test/oracle/**"],
          // Some start processes, and the machine may have other work.
          testTimeout: 120_000
        }
      },
      {
        test: {
          name: "architecture",
          include: ["test/architecture/**/*.test.ts"],
          // The toy kind is known to whatever loads it, and no other test expects it.
          isolate: true,
          testTimeout: 120_000
        }
      },
      {
        test: {
          name: "laws",
          include: ["test/memory/**/*.test.ts"],
          // A law plays a hundred stories.
          testTimeout: 600_000
        }
      },
      {
        test: {
          name: "oracle",
          include: ["test/oracle/**/*.test.ts"],
          // What asks containerd itself is built of Go modules, once.
          globalSetup: ["test/oracle/setup.ts"],
          testTimeout: 600_000
        }
      },
      {
        test: {
          ...cluster,
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          exclude: alone,
          // They mostly wait, each in namespaces of its own, for builds of which the cluster does four at once.
          maxWorkers: 3,
          maxConcurrency: 4,
          sequence: { groupOrder: 1, concurrent: true }
        }
      },
      {
        test: {
          ...cluster,
          name: "cluster-alone",
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
