import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Everything that is counted. Label values come from closed sets of this program, never from other people's text. */
export interface Metrics {
  registry: Registry
  /** outcome: accepted, unchanged, refused, unavailable */
  notifications: Counter<'outcome'>
  /** By error code. */
  rejected: Counter<'code'>
  /** change: opened, joined, resolved, unchanged; name: expected or other alert name */
  alerts: Counter<'change' | 'name'>
  queueDepth: Gauge
  incidents: Gauge<'state'>
  looks: Counter<'source' | 'outcome'>
  lookSeconds: Histogram<'source'>
  causes: Counter<'cause' | 'confidence'>
  diagnosisSeconds: Histogram
  noticeSeconds: Histogram
  /** kind: slack-root, slack-thread, annotation …; outcome: sent, retried, dead, ambiguous, superseded */
  deliveries: Counter<'kind' | 'outcome'>
  /** Share of polls in which our annotations stood on the alert. */
  annotationPresence: Gauge
  jobs: Counter<'outcome'>
}

const prefix = 'acme_triage_'

/** A registry of its own for each app, so that several can live in one process. */
export function buildMetrics (): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) => new Counter({ name: `${prefix}${name}`, help, labelNames, registers })
  return {
    registry,
    notifications: counter('notifications_total', 'Webhook posts by outcome.', ['outcome']),
    rejected: counter('rejected_bodies_total', 'Webhook posts that were refused, by error code.', ['code']),
    alerts: counter('alerts_total', 'Alerts by what they changed.', ['change', 'name']),
    queueDepth: new Gauge({ name: `${prefix}queue_depth`, help: 'Jobs that are due and wait.', registers }),
    incidents: new Gauge({ name: `${prefix}incidents`, help: 'Incidents by state.', labelNames: ['state'], registers }),
    looks: counter('looks_total', 'Looks at the cluster, logs, DNS, web and CA by outcome.', ['source', 'outcome']),
    lookSeconds: new Histogram({ name: `${prefix}look_seconds`, help: 'Duration of looks.', labelNames: ['source'], buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10], registers }),
    causes: counter('causes_total', 'Causes given, when an incident first has them.', ['cause', 'confidence']),
    diagnosisSeconds: new Histogram({ name: `${prefix}diagnosis_seconds`, help: 'From the start of a look to its diagnosis.', buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10], registers }),
    noticeSeconds: new Histogram({ name: `${prefix}notice_seconds`, help: 'From the acknowledged alert to its first message.', buckets: [0.01, 0.03, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300], registers }),
    deliveries: counter('deliveries_total', 'Messages and writes by outcome.', ['kind', 'outcome']),
    annotationPresence: new Gauge({ name: `${prefix}annotation_presence_ratio`, help: 'Share of recent polls in which our annotations stood on the firing alert.', registers }),
    jobs: counter('jobs_total', 'Jobs by how they ended.', ['outcome'])
  }
}
