import type { SubjectHint } from '../shared/types/observations.ts'
import type { LabelMap } from './labels.ts'

const orderRule = 'max by (namespace, exported_namespace, name, certificate, issuer, state) (certmanager_order_state{state=~"invalid|errored|expired"}) == 1'
const challengeRule = 'max by (exported_namespace, namespace, name, domain, type, status) (certmanager_certificate_challenge_status{status=~"invalid|expired|errored"}) == 1'
const readyRule = 'max by (exported_namespace, namespace, name, issuer_name, issuer_kind, issuer_group) (certmanager_certificate_ready_status{condition="False"}) == 1'

/** What is wrong with a rule whose alerts carry these labels, and the expression to use instead (alertmanager.md §7.2). */
export function lintLabels (labels: LabelMap, hints: SubjectHint[]): string[] {
  const lint: string[] = []
  const kinds = new Set(hints.map(({ kind }) => kind))
  const namesObject = ['Challenge', 'Order', 'CertificateRequest', 'Certificate', 'Uid'].some(kind => kinds.has(kind as SubjectHint['kind']))
  if (!namesObject) {
    if (kinds.has('Host')) lint.push(`The rule counts requests of the ACME client and names no object. Use: ${challengeRule}`)
    else if (kinds.has('Domain') && !kinds.has('Secret')) lint.push(`The rule loses the name of the Certificate. Keep it: ${challengeRule}`)
    else if (kinds.has('Issuer') || kinds.has('ClusterIssuer')) lint.push(`The rule names the issuer only. Use: ${readyRule}`)
    else if (!kinds.has('Secret') && !kinds.has('Ingress')) lint.push(`The alert names no object. Use: ${orderRule} (kube-state-metrics), or: ${challengeRule} (cert-manager 1.19 and later)`)
  } else if (kinds.has('Uid') && !labels.has('name') && !labels.has('order')) {
    lint.push('The rule carries only a UID. Add name and namespace to labelsFromPath of the kube-state-metrics configuration.')
  }
  if (namesObject && labels.get('namespace') === 'cert-manager' && !labels.has('exported_namespace')) {
    lint.push('namespace is cert-manager\'s own. Set honorLabels: true in the ServiceMonitor, or keep exported_namespace in the rule\'s "by".')
  }
  const changing = ['reason', 'status', 'processing', 'state'].filter(key => labels.has(key) && !(key === 'status' && kinds.has('Host')) && !(key === 'state' && labels.has('customresource_kind')))
  if (changing.length > 0 && (labels.has('reason') || labels.has('processing'))) {
    lint.push(`${changing.join(', ')} change while the order fails, and each change makes a new alert. Move them into annotations.`)
  }
  return lint
}
