/** What `registry/` brings beside the server image-registry, field by field: literals where another value would be a mistake. */
import { Schema } from "effect"
import { Labels, Metadata, Name } from "./common-schemas.ts"
import { anyContainer, Port } from "./container-schemas.ts"

const SecurityContext = (user: number) =>
  Schema.Struct({ ...anyContainer.securityContext.fields, runAsUser: Schema.Literal(user) })

const storage = "/var/lib/registry"

// The functions' image has the same user.
const PodSecurityContext = Schema.Struct({
  fsGroup: Schema.Literal(1000),
  fsGroupChangePolicy: Schema.Literal("OnRootMismatch")
})

const Images = Schema.Struct({ name: Schema.Literal("images"), mountPath: Schema.Literal(storage) })
const Claim = Schema.Struct({
  name: Schema.Literal("images"),
  persistentVolumeClaim: Schema.Struct({ claimName: Name })
})

/** What a server's Deployment has more, where images are kept beside it. */
export const besideServer = {
  pod: {
    securityContext: Schema.optionalKey(PodSecurityContext),
    initContainers: Schema.optionalKey(
      Schema.Tuple([
        Schema.Struct({
          ...anyContainer,
          name: Schema.Literal("distribution"),
          workingDir: Schema.Literal(storage),
          command: Schema.Tuple([Schema.Literal("sh"), Schema.Literal("/etc/distribution/serve.sh")]),
          restartPolicy: Schema.Literal("Always"),
          livenessProbe: Schema.Struct({
            exec: Schema.Struct({
              command: Schema.Tuple([
                Schema.Literal("sh"),
                Schema.Literal("-c"),
                Schema.Literal(`[ -e ${storage}/collect ] || wget -q -O /dev/null http://127.0.0.1:5000/`)
              ])
            }),
            periodSeconds: Schema.Literal(20),
            timeoutSeconds: Schema.Literal(5),
            failureThreshold: Schema.Literal(6)
          }),
          securityContext: SecurityContext(1000),
          volumeMounts: Schema.Tuple([
            Schema.Struct({
              name: Schema.Literal("configuration"),
              mountPath: Schema.Literal("/etc/distribution")
            }),
            Images
          ])
        })
      ])
    ),
    volumes: Schema.optionalKey(
      Schema.Tuple([
        Schema.Struct({
          name: Schema.Literal("configuration"),
          configMap: Schema.Struct({ name: Name })
        }),
        Claim
      ])
    )
  },
  container: {
    volumeMounts: Schema.optionalKey(
      Schema.Tuple([Schema.Struct({ ...Images.fields, readOnly: Schema.Literal(true) })])
    )
  }
}

export const PersistentVolumeClaim = Schema.Struct({
  apiVersion: Schema.Literal("v1"),
  kind: Schema.Literal("PersistentVolumeClaim"),
  metadata: Metadata,
  spec: Schema.Struct({
    // One Pod writes.
    accessModes: Schema.Tuple([Schema.Literal("ReadWriteOnce")]),
    resources: Schema.Struct({
      requests: Schema.Struct({ storage: Schema.String.check(Schema.isPattern(/^\d+Gi$/u)) })
    })
  })
})

export const DaemonSet = Schema.Struct({
  apiVersion: Schema.Literal("apps/v1"),
  kind: Schema.Literal("DaemonSet"),
  metadata: Metadata,
  spec: Schema.Struct({
    selector: Schema.Struct({ matchLabels: Labels }),
    updateStrategy: Schema.Struct({ rollingUpdate: Schema.Struct({ maxUnavailable: Schema.Literal("10%") }) }),
    template: Schema.Struct({
      metadata: Schema.Struct({ labels: Labels }),
      spec: Schema.Struct({
        automountServiceAccountToken: Schema.Literal(false),
        tolerations: Schema.Tuple([Schema.Struct({ operator: Schema.Literal("Exists") })]),
        containers: Schema.Tuple([
          Schema.Struct({
            ...anyContainer,
            name: Schema.Literal("proxy"),
            command: Schema.Tuple(["socat", "-b", "262144", "-T", "300"].map((word) => Schema.Literal(word))),
            args: Schema.Tuple([Schema.String, Schema.String]),
            // On loopback alone: nobody outside of the node may come in.
            ports: Schema.Tuple([
              Schema.Struct({
                name: Name,
                containerPort: Port,
                hostPort: Port,
                hostIP: Schema.Literal("127.0.0.1")
              })
            ]),
            securityContext: SecurityContext(65_532)
          })
        ])
      })
    })
  })
})

export const CronJob = Schema.Struct({
  apiVersion: Schema.Literal("batch/v1"),
  kind: Schema.Literal("CronJob"),
  metadata: Metadata,
  spec: Schema.Struct({
    schedule: Schema.String.check(Schema.isPattern(/^\d+ \d+ \* \* \*$/u)),
    concurrencyPolicy: Schema.Literal("Forbid"),
    successfulJobsHistoryLimit: Schema.Literal(1),
    failedJobsHistoryLimit: Schema.Literal(1),
    jobTemplate: Schema.Struct({
      spec: Schema.Struct({
        backoffLimit: Schema.Literal(0),
        activeDeadlineSeconds: Schema.Literal(7200),
        template: Schema.Struct({
          metadata: Schema.Struct({ labels: Labels }),
          spec: Schema.Struct({
            automountServiceAccountToken: Schema.Literal(false),
            restartPolicy: Schema.Literal("Never"),
            securityContext: PodSecurityContext,
            affinity: Schema.Struct({
              podAffinity: Schema.Struct({
                requiredDuringSchedulingIgnoredDuringExecution: Schema.Tuple([
                  Schema.Struct({
                    topologyKey: Schema.Literal("kubernetes.io/hostname"),
                    labelSelector: Schema.Struct({ matchLabels: Labels })
                  })
                ])
              })
            }),
            containers: Schema.Tuple([
              Schema.Struct({
                ...anyContainer,
                name: Schema.Literal("ask"),
                workingDir: Schema.Literal(storage),
                command: Schema.Tuple([Schema.Literal("sh"), Schema.Literal("-euc")]),
                // It may touch nothing of the volume but the two files by which it asks.
                args: Schema.Tuple([Schema.String.check(Schema.isPattern(/^rm -f collect-failed\n: >collect\n/u))]),
                securityContext: SecurityContext(1000),
                volumeMounts: Schema.Tuple([Images])
              })
            ]),
            volumes: Schema.Tuple([Claim])
          })
        })
      })
    })
  })
})
