/** What all processes of the functions' image have in common: the log, and how they end. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Config, Effect, Exit, Layer, Logger, References } from "effect"

/** One line of JSON for each thing said. */
export const logger = Logger.layer([Logger.consoleJson])

/** By `LOG_LEVEL`. */
export const logLevel = Layer.effect(
  References.MinimumLogLevel,
  Config.LogLevel("LOG_LEVEL").pipe(Config.withDefault("Info"))
)

/** Runs until it fails, which is logged and gives code 1, or until SIGTERM, which is not a failure. */
export const runProcess = <A, E>(program: Effect.Effect<A, E>): void =>
  NodeRuntime.runMain(
    program.pipe(
      // Outside of the services, so that missing settings are reported too.
      Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logFatal("stopped", cause))),
      Effect.provide(logger)
    ),
    {
      disableErrorReporting: true,
      teardown: (exit, done) => done(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)
    }
  )
