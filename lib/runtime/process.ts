/** What every process of the functions' image has in common: its log, and how it ends. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Config, Effect, Exit, Layer, Logger, References } from "effect"

/** One line of JSON for each thing said. */
export const logger = Logger.layer([Logger.consoleJson])

/** By `LOG_LEVEL`. */
export const logLevel = Layer.effect(
  References.MinimumLogLevel,
  Config.LogLevel("LOG_LEVEL").pipe(Config.withDefault("Info"))
)

/** Runs until it fails, which is told and gives code 1, or until SIGTERM, which is no failure. */
export const runProcess = <A, E>(program: Effect.Effect<A, E>): void =>
  NodeRuntime.runMain(
    program.pipe(
      // Outside of the services, so that settings that are missing are told too.
      Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal("stopped", cause))),
      Effect.provide(logger)
    ),
    {
      disableErrorReporting: true,
      teardown: (exit, done) => done(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)
    }
  )
