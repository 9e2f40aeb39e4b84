import type { Diagnosis } from '../../src/shared/types/diagnosis.ts'
import { objectsOf, textAt, type Material } from './material.ts'

const scraper = { namespace: 'cert-manager', pod: 'cert-manager-5d7f97b46d-x2x9q', instance: '10.244.1.7:9402', job: 'cert-manager', container: 'cert-manager-controller', endpoint: 'http-metrics', service: 'cert-manager' }

/** The spellings in which alerts name the object of a case; `undefined` where the case does not show what the labels name. */
export function labelSpellings (material: Material, { incident }: Diagnosis): Record<string, Record<string, string>> {
  const { namespace, certificate, order } = incident
  const domain = incident.domains[0]?.replace(/^\*\./, '') ?? ''
  const orderObject = objectsOf(material, 'Order').find(({ metadata }) => metadata.namespace === namespace && metadata.name === order)
  const challenge = objectsOf(material, 'Challenge').find(({ metadata, spec }) => metadata.ownerReferences?.some(({ uid }) => uid === orderObject?.metadata.uid) === true && textAt(spec, 'dnsName') === domain)
  const certificateObject = objectsOf(material, 'Certificate').find(({ metadata }) => metadata.namespace === namespace && metadata.name === certificate)
  const request = objectsOf(material, 'CertificateRequest').find(({ metadata }) => metadata.namespace === namespace && metadata.ownerReferences?.some(({ uid }) => uid === certificateObject?.metadata.uid) === true && (orderObject === undefined || orderObject.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true))
  const metric = { domain, type: 'HTTP-01', status: 'invalid', processing: 'false', reason: 'x'.repeat(1_200) }
  const found: Record<string, Record<string, string>> = {}
  if (challenge !== undefined) {
    const { name } = challenge.metadata
    Object.assign(found, {
      'challenge metric': { ...scraper, exported_namespace: namespace, name, ...metric },
      'challenge metric, honorLabels': { ...scraper, namespace, name, ...metric },
      'challenge alias': { namespace, challenge: name },
      'challenge gone': { namespace, challenge: name.replace(/\d{3}$/, '000') },
      'event exporter': { ...scraper, kind: 'Event', involved_object_kind: 'Challenge', involved_object_name: name, involved_object_namespace: namespace }
    })
  }
  if (orderObject !== undefined) {
    Object.assign(found, {
      'kube-state-metrics': { ...scraper, exported_namespace: namespace, customresource_kind: 'Order', customresource_group: 'acme.cert-manager.io', customresource_version: 'v1', name: order, state: 'errored' },
      'order alias': { k8s_namespace: namespace, order_name: order },
      uid: { namespace, uid: orderObject.metadata.uid }
    })
  }
  if (request !== undefined) found['request alias'] = { namespace, certificaterequest: request.metadata.name }
  if (certificateObject !== undefined) {
    Object.assign(found, {
      'ready metric': { ...scraper, exported_namespace: namespace, name: certificate, condition: 'False', issuer_name: textAt(certificateObject, 'spec', 'issuerRef', 'name'), issuer_kind: 'ClusterIssuer', issuer_group: 'cert-manager.io' },
      'certificate alias': { namespace, certificate },
      'short alias': { namespace, cert: certificate },
      'name alone': { namespace, name: certificate },
      secret: { namespace: 'monitoring', secret_namespace: namespace, secret_name: textAt(certificateObject, 'spec', 'secretName') }
    })
    if (domain !== '' && objectsOf(material, 'Certificate').filter((each) => JSON.stringify(each.spec).includes(domain)).length === 1) {
      Object.assign(found, { 'domain alone': { namespace, domain }, 'final dot and capitals': { namespace, dns_name: `${domain.toUpperCase()}.` }, blackbox: { namespace: 'monitoring', instance: `https://${domain.includes(':') ? `[${domain}]` : domain}/healthz` } })
    }
  }
  return found
}

/** The case with the labels of its alert in another spelling. */
export function withLabels (material: Material, labels: Record<string, string>): Material {
  const [body] = material.directory.alerts
  const [alert] = body!.alerts
  return { ...material, directory: { ...material.directory, alerts: [{ ...body!, alerts: [{ ...alert!, labels: { alertname: 'CertManagerACMEOrderFailed', severity: 'warning', ...labels } }] }] } }
}
