import { createHash } from 'node:crypto'
import { fingerprint } from '../../src/shared/fingerprint.ts'

export interface BodyOptions {
  namespace?: string
  certificate: string
  /** These and no others. */
  labels?: Record<string, string>
  startsAt?: number
}

const alertname = 'CertManagerACMEOrderFailed'

/** A notification of one alert as Alertmanager posts it, about 1 kB. */
export function oneAlert ({ namespace = 'shop', certificate, labels, startsAt = Date.now() }: BodyOptions): string {
  const all = labels ?? { alertname, severity: 'warning', namespace, certificate, issuer: 'letsencrypt', prometheus: 'monitoring/k8s' }
  const groupLabels = { alertname, namespace, certificate }
  return JSON.stringify({
    receiver: 'acme-triage', status: 'firing', version: '4', truncatedAlerts: 0, externalURL: 'http://alertmanager.monitoring:9093', groupKey: `{}:{alertname="${alertname}", certificate="${certificate}", namespace="${namespace}"}`,
    groupLabels, commonLabels: all, commonAnnotations: {},
    alerts: [{
      status: 'firing', labels: all, startsAt: new Date(startsAt).toISOString(), endsAt: '0001-01-01T00:00:00Z', generatorURL: 'http://prometheus.monitoring:9090/graph?g0.expr=acme_orders_failed',
      annotations: { summary: `The ACME order of ${namespace}/${certificate} failed.`, description: 'cert-manager could not obtain a certificate; it tries again with growing pauses.' },
      // The true one only where somebody compares: it costs more than the rest of the body.
      fingerprint: labels === undefined ? createHash('sha1').update(`${namespace}/${certificate}`).digest('hex').slice(0, 16) : fingerprint(labels)
    }]
  })
}
