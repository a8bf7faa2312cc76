/**
 * The part of a Kubernetes pod (core/v1) that injection reads. Fields it does not know stay where they are: it changes a
 * pod by JSON Patch only, never by writing one back.
 */
export interface Pod {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata?: PodMetadata | undefined;
  readonly spec?: PodSpec | undefined;
}

export interface PodMetadata {
  readonly name?: string | undefined;
  readonly generateName?: string | undefined;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface PodSpec {
  readonly containers?: readonly Container[] | undefined;
  readonly initContainers?: readonly Container[] | undefined;
  readonly ephemeralContainers?: readonly Container[] | undefined;
  readonly volumes?: readonly Volume[] | undefined;
  readonly securityContext?: object | undefined;
  readonly serviceAccountName?: string | undefined;
  readonly automountServiceAccountToken?: boolean | undefined;
  readonly restartPolicy?: string | undefined;
  readonly enableServiceLinks?: boolean | undefined;
  readonly nodeName?: string | undefined;
  readonly hostNetwork?: boolean | undefined;
  readonly hostPID?: boolean | undefined;
  readonly hostIPC?: boolean | undefined;
  readonly hostUsers?: boolean | undefined;
  readonly shareProcessNamespace?: boolean | undefined;
  readonly os?: { readonly name?: string | undefined } | undefined;
}

export interface Container {
  readonly name: string;
  readonly image?: string | undefined;
  readonly imagePullPolicy?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly env?: readonly EnvironmentVariable[] | undefined;
  readonly envFrom?: readonly object[] | undefined;
  readonly ports?: readonly ContainerPort[] | undefined;
  readonly volumeMounts?: readonly VolumeMount[] | undefined;
  readonly volumeDevices?: readonly object[] | undefined;
  readonly securityContext?: object | undefined;
  readonly resources?: ResourceRequirements | undefined;
  readonly restartPolicy?: string | undefined;
  readonly lifecycle?: object | undefined;
  readonly livenessProbe?: object | undefined;
  readonly readinessProbe?: object | undefined;
  readonly startupProbe?: object | undefined;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string | undefined;
  readonly valueFrom?: object | undefined;
}

export interface ContainerPort {
  readonly name?: string | undefined;
  readonly containerPort: number;
  readonly hostPort?: number | undefined;
  readonly protocol?: string | undefined;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean | undefined;
  readonly subPath?: string | undefined;
  readonly subPathExpr?: string | undefined;
}

/** A volume's source is read by name only where a rule needs it. */
export interface Volume {
  readonly name: string;
  readonly emptyDir?: object | undefined;
  readonly hostPath?: object | undefined;
  readonly projected?:
    | { readonly defaultMode?: number | undefined; readonly sources?: readonly object[] | undefined }
    | undefined;
}

export interface ResourceRequirements {
  readonly requests?: Readonly<Record<string, string>> | undefined;
  readonly limits?: Readonly<Record<string, string>> | undefined;
}
