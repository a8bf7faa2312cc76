/**
 * The part of a Kubernetes pod (core/v1) that injection reads. Fields it does not know stay where they are: it changes a
 * pod by JSON Patch only, never by writing one back. To the API null and absent are the same.
 */
export interface Pod {
  readonly apiVersion?: string | null | undefined;
  readonly kind?: string | null | undefined;
  readonly metadata?: PodMetadata | null | undefined;
  readonly spec?: PodSpec | null | undefined;
}

export interface PodMetadata {
  readonly name?: string | null | undefined;
  readonly generateName?: string | null | undefined;
  readonly namespace?: string | null | undefined;
  readonly uid?: string | null | undefined;
  readonly labels?: Readonly<Record<string, string>> | null | undefined;
  readonly annotations?: Readonly<Record<string, string>> | null | undefined;
}

export interface PodSpec {
  readonly containers?: readonly Container[] | null | undefined;
  readonly initContainers?: readonly Container[] | null | undefined;
  readonly ephemeralContainers?: readonly Container[] | null | undefined;
  readonly volumes?: readonly Volume[] | null | undefined;
  readonly securityContext?: PodSecurity | null | undefined;
  readonly serviceAccountName?: string | null | undefined;
  readonly automountServiceAccountToken?: boolean | null | undefined;
  readonly restartPolicy?: string | null | undefined;
  readonly enableServiceLinks?: boolean | null | undefined;
  readonly nodeName?: string | null | undefined;
  readonly hostname?: string | null | undefined;
  readonly subdomain?: string | null | undefined;
  readonly hostNetwork?: boolean | null | undefined;
  readonly hostPID?: boolean | null | undefined;
  readonly hostIPC?: boolean | null | undefined;
  readonly hostUsers?: boolean | null | undefined;
  readonly shareProcessNamespace?: boolean | null | undefined;
  readonly nodeSelector?: Readonly<Record<string, string>> | null | undefined;
  readonly os?: { readonly name?: string | undefined } | null | undefined;
}

export interface Container {
  readonly name: string;
  readonly image?: string | null | undefined;
  readonly imagePullPolicy?: string | null | undefined;
  readonly command?: readonly string[] | null | undefined;
  readonly args?: readonly string[] | null | undefined;
  readonly workingDir?: string | null | undefined;
  readonly env?: readonly EnvironmentVariable[] | null | undefined;
  readonly envFrom?: readonly object[] | null | undefined;
  readonly ports?: readonly ContainerPort[] | null | undefined;
  readonly volumeMounts?: readonly VolumeMount[] | null | undefined;
  readonly volumeDevices?: readonly { readonly name: string }[] | null | undefined;
  readonly securityContext?: ContainerSecurity | null | undefined;
  readonly resources?: ResourceRequirements | null | undefined;
  readonly restartPolicy?: string | null | undefined;
  readonly lifecycle?: object | null | undefined;
  readonly livenessProbe?: object | null | undefined;
  readonly readinessProbe?: object | null | undefined;
  readonly startupProbe?: object | null | undefined;
}

/** What rules read of a pod's security context; hashed whole. */
export interface PodSecurity {
  readonly fsGroup?: number | null | undefined;
  readonly runAsNonRoot?: boolean | null | undefined;
  readonly seccompProfile?: object | null | undefined;
  readonly windowsOptions?: object | null | undefined;
}

/** What rules read of a container's security context; compared and hashed whole. */
export interface ContainerSecurity {
  readonly allowPrivilegeEscalation?: boolean | null | undefined;
  readonly privileged?: boolean | null | undefined;
  readonly procMount?: string | null | undefined;
  readonly capabilities?:
    | {
        readonly add?: readonly string[] | null | undefined;
        readonly drop?: readonly string[] | null | undefined;
      }
    | null
    | undefined;
  readonly readOnlyRootFilesystem?: boolean | null | undefined;
  readonly runAsUser?: number | null | undefined;
  readonly runAsGroup?: number | null | undefined;
  readonly runAsNonRoot?: boolean | null | undefined;
  readonly seccompProfile?: object | null | undefined;
  readonly windowsOptions?: object | null | undefined;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string | null | undefined;
  readonly valueFrom?: object | null | undefined;
}

export interface ContainerPort {
  readonly name?: string | null | undefined;
  readonly containerPort: number;
  readonly hostPort?: number | null | undefined;
  readonly protocol?: string | null | undefined;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean | null | undefined;
  readonly subPath?: string | null | undefined;
  readonly subPathExpr?: string | null | undefined;
}

/** A volume's source is read by name only where a rule needs it. */
export interface Volume {
  readonly name: string;
  readonly emptyDir?: object | null | undefined;
  readonly image?: { readonly reference?: string | null | undefined } | null | undefined;
  readonly hostPath?: object | null | undefined;
  readonly flexVolume?: object | null | undefined;
  readonly gitRepo?: object | null | undefined;
  readonly projected?:
    | { readonly defaultMode?: number | null | undefined; readonly sources?: readonly object[] | undefined }
    | null
    | undefined;
}

export interface ResourceRequirements {
  readonly requests?: Readonly<Record<string, string>> | null | undefined;
  readonly limits?: Readonly<Record<string, string>> | null | undefined;
}
