/* Generated from schemas/alertmanager-webhook.schema.json by `npm run generate`; do not edit. */

/**
 * The body that Alertmanager 0.19 to 0.34 posts (version 4), and Grafana's of the same core (version 1). Unknown fields pass; only what is read is required.
 */
export interface AlertmanagerWebhook {
  version: '4' | '1'
  receiver?: string | null
  status?: 'firing' | 'resolved'
  groupKey?: string | null
  externalURL?: string | null
  truncatedAlerts?: number | null
  notification_reason?: string | null
  alerts: {
    status?: 'firing' | 'resolved'
    labels: {
      [k: string]: string
    }
    annotations?: {
      [k: string]: string | null
    } | null
    startsAt?: string | null
    endsAt?: string | null
    generatorURL?: string | null
    fingerprint?: string | null
  }[]
}
