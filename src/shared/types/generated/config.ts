/* Generated from schemas/config.schema.json by `npm run generate`; do not edit. */

/**
 * Bytes, or 64KiB, 8MiB, 1GiB
 */
export type Size = number | string
/**
 * 500ms, 5s, 10m, 1h30m, 2d
 */
export type Duration = string
export type Strings = string[]
export type Url = string
/**
 * CIDRs that probes may reach beside public addresses
 */
export type Strings1 = string[]
/**
 * User or group ids that may press the buttons
 */
export type Strings2 = string[]
export type Confidence = 'proven' | 'likely' | 'possible'

/**
 * Everything is optional. Secrets never stand here: they come by environment variable or …_FILE.
 */
export interface AcmeTriageConfiguration {
  /**
   * host:port, [v6]:port or :port. ACME_TRIAGE_LISTEN
   */
  listen?: string
  /**
   * Folder of the embedded store. ACME_TRIAGE_DATA_DIR
   */
  dataDir?: string
  /**
   * Base of the links in messages. ACME_TRIAGE_PUBLIC_URL
   */
  publicUrl?: string
  /**
   * Our own cluster's value of clusterLabel; alerts of another cluster open nothing
   */
  cluster?: string
  clusterLabel?: string
  webhook?: {
    /**
     * Open jobs above which a notification is answered 503
     */
    queueLimit?: number
    bodyLimit?: Size
  }
  kubernetes?: {
    /**
     * Path; else KUBECONFIG, else in-cluster, else none
     */
    kubeconfig?: string
    certManagerNamespace?: string
    /**
     * Write each diagnosis as an Event on the Certificate, the only write into the cluster; needs deploy/optional/certificate-events.yaml
     */
    certificateEvents?: boolean
  }
  collect?: {
    deadline?: Duration
    logBytes?: Size
    /**
     * Read the ingress controllers' logs for the challenge path (off by default: they are large and hold visitors' addresses)
     */
    ingressLogs?: boolean
    /**
     * Incidents looked at side by side
     */
    concurrency?: number
  }
  probes?: {
    /**
     * ACME_TRIAGE_PROBES: on, off
     */
    enabled?: boolean
    clusterResolvers?: Strings
    publicResolvers?: Strings
    dohResolvers?: Url[]
    allow?: Strings1
    contact?: string
    outside?: {
      name: string
      url: Url
      /**
       * Environment variable (or its _FILE form) with the probe's token; default ACME_TRIAGE_PROBE_TOKEN
       */
      tokenEnv?: string
      /**
       * Path of a PEM file
       */
      ca?: string
    }[]
    interval?: Duration
  }
  recorder?: {
    enabled?: boolean
    keep?: Duration
    maxBytes?: Size
  }
  slack?: {
    /**
     * SLACK_CHANNEL
     */
    channel?: string
    fallbackChannel?: string
    /**
     * SLACK_API_URL
     */
    apiUrl?: string
    webhookStyle?: 'slack' | 'mattermost'
    operators?: Strings2
    storm?: {
      threshold?: number
      window?: Duration
    }
    flapWindow?: Duration
    routes?: {
      channel: string
      namespace?: string
      labels?: {
        [k: string]: string
      }
      issuer?: string
      cause?: string
      severity?: string
    }[]
    mention?: {
      id: string
      below?: Duration
    }
  }
  alertmanager?: {
    /**
     * ALERTMANAGER_URLS
     */
    urls?: Url[]
    /**
     * Extra headers, such as a tenant; never credentials
     */
    headers?: {
      [k: string]: string
    }
    ca?: string
    mode?: 'api' | 'tee' | 'relay' | 'metric' | 'off'
    poll?: Duration
    hold?: Duration
  }
  /**
   * Signed webhooks of our own; the secret is ACME_TRIAGE_OUTGOING_SECRET unless secretEnv names another
   */
  outgoing?: {
    url: Url
    secretEnv?: string
  }[]
  /**
   * By cause id
   */
  causes?: {
    [k: string]: {
      off?: boolean
      lowest?: Confidence
      thresholds?: {
        [k: string]: number
      }
      runbook?: Url
      /**
       * Incidents with this cause are told there too, once; of a storm one message leads to its digest
       */
      channel?: string
    }
  }
  causesDirectory?: string
  retention?: Duration
  runbookUrl?: Url
  log?: {
    /**
     * ACME_TRIAGE_LOG_LEVEL
     */
    level?: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  }
}
