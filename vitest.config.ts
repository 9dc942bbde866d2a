import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // Effect and the Schemas are loaded once for a worker, not once for a file: half of the time went there.
    isolate: false,
    // Vitest leaves one processor to others, and most tests wait now and then.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/cluster/**", "test/memory/**", "test/oracle/**"]
        }
      },
      {
        test: {
          name: "laws",
          include: ["test/memory/**/*.test.ts"],
          // A law plays a hundred stories, and the machine may have other work.
          testTimeout: 120_000
        }
      },
      {
        test: {
          name: "oracle",
          include: ["test/oracle/**/*.test.ts"],
          // What asks containerd itself is built of Go modules, once.
          globalSetup: ["test/oracle/setup.ts"],
          testTimeout: 60_000
        }
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          // One cluster for all: its set-up is made once, and files run one after the other, once the others are done.
          globalSetup: ["test/cluster/setup.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
          hookTimeout: 300_000
        }
      }
    ]
  }
})
