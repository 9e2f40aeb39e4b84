import type { Millis } from '../types/common.ts'
import type { Confidence } from '../types/diagnosis.ts'

/**
 * The whole configuration, defaults filled in. Read from YAML (schemas/config.schema.json) and
 * the environment by `loadConfig`; secrets come by environment or `…_FILE` only.
 */
export interface Config {
  listen: { host: string, port: number }
  dataDir: string
  /** PostgreSQL instead of the embedded store. */
  databaseUrl?: string
  /** Base of the links in messages, no slash at the end. */
  publicUrl: string
  /** Our own cluster's value of `clusterLabel`; alerts of another cluster are refused politely. */
  cluster?: string
  clusterLabel: string
  webhook: {
    /** Bearer tokens; any of them is good, so that two are valid during rotation. Empty: no authentication. */
    tokens: string[]
    basic: { user: string, password: string }[]
    /** Open jobs above which a notification is answered 503. */
    queueLimit: number
    bodyLimit: number
  }
  pages: { tokens: string[] }
  kubernetes: { kubeconfig?: string, certManagerNamespace?: string, /** The diagnosis is written as an Event on the Certificate: the only write into the cluster, with a Role of its own. */ certificateEvents: boolean }
  collect: { deadline: Millis, logBytes: number, concurrency: number, /** The ingress controllers' logs are read for the challenge path. */ ingressLogs: boolean }
  probes: {
    enabled: boolean
    /** Addresses or `address:port` of the cluster's resolver; empty: /etc/resolv.conf. */
    clusterResolvers: string[]
    publicResolvers: string[]
    /** DNS over HTTPS endpoints, used when port 53 is closed. */
    dohResolvers: string[]
    /** CIDRs that the guard lets through beside public addresses. */
    allow: string[]
    /** Contact in the User-Agent. */
    contact: string
    /** Probes outside the cluster: `acme-triage probe`. */
    outside: { name: string, url: string, token: string, ca?: string }[]
    /** At most one round per name in this time. */
    interval: Millis
  }
  recorder: { enabled: boolean, keep: Millis, maxBytes: number }
  slack: SlackConfig
  alertmanager: {
    urls: string[]
    bearer?: string
    basic?: { user: string, password: string }
    headers: Record<string, string>
    ca?: string
    mode: 'api' | 'tee' | 'relay' | 'metric' | 'off'
    poll: Millis
    /** Relay: how long a new alert may wait for its diagnosis. */
    hold: Millis
  }
  /** A signed webhook of our own. */
  outgoing: { url: string, secret: string }[]
  causes: Record<string, { off?: boolean, lowest?: Confidence, thresholds?: Record<string, number>, runbook?: string, channel?: string }>
  /** Folder of site-local cause modules. */
  causesDirectory?: string
  /** How long incidents are kept. */
  retention: Millis
  runbookUrl?: string
  log: { level: string }
}

export interface SlackConfig {
  /** Read again on credential errors and on change when it came from a file. */
  token?: string
  tokenFile?: string
  channel?: string
  fallbackChannel?: string
  apiUrl: string
  /** Incoming webhook: posts only, no edits, no threads. */
  webhookUrl?: string
  webhookStyle: 'slack' | 'mattermost'
  appToken?: string
  signingSecret?: string
  /** User or group ids that may press the buttons; empty: nobody but links. */
  operators: string[]
  /** A storm is more than `threshold` new incidents of one channel inside `window`; 0 switches digests off. */
  storm: { threshold: number, window: Millis }
  /** A re-fire inside this time reopens the thread. */
  flapWindow: Millis
  routes: SlackRoute[]
  /** `<!subteam^…>` or user id, mentioned when the served certificate has less than `below` left. */
  mention?: { id: string, below: Millis }
}

/** First match wins; each field given must match. */
export interface SlackRoute {
  channel: string
  namespace?: string
  labels?: Record<string, string>
  issuer?: string
  cause?: string
  severity?: string
}
