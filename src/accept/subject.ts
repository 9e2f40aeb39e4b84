import type { Config } from '../shared/config/config.ts'
import type { IncidentPlace } from '../shared/store/intake.ts'
import type { SubjectHint } from '../shared/types/observations.ts'
import { aliases, ancestorNames, domainsIn, generatedSuffixes, pick, readLabels, type LabelMap } from './labels.ts'
import { lintLabels } from './labels-lint.ts'

export interface SubjectHints {
  /** What the alert may mean, most telling first; ends with a Scan. */
  hints: SubjectHint[]
  /** Names and addresses of the certificate that the labels tell. */
  domains: string[]
  /** What is wrong with the rule, and the expression to use instead. */
  lint: string[]
  /** The alert is of this other cluster. */
  otherCluster?: string
}

/** Reads what the labels may mean, without asking anybody. Labels are other people's text: nothing here trusts them to be names. */
export function subjectHints (labels: Record<string, string>, annotations: Record<string, string>, settings: { clusterLabel: string, cluster?: string }): SubjectHints {
  const map = readLabels(labels)
  const { namespace, doubtful } = namespaces(map)
  const hints = new Hints(namespace?.value, namespace?.key)

  named(map, hints)
  addSecret(map, hints)
  const domains = addDomains(map, hints)
  addOthers(map, hints)
  addAnnotations(annotations, hints)

  // A namespace that describes the scraper is worth a try when nothing else led anywhere.
  if (doubtful !== undefined) hints.again(doubtful.value, doubtful.key)
  else if (namespace?.key === 'namespace' && (scraperNamespaces.has(namespace.value) || scrapedFromCertManager(map))) hints.anywhere()
  // An object that was named and is gone is not replaced by some other one that fails.
  if (!hints.list.some(({ kind }) => objectKinds.has(kind))) {
    if (namespace !== undefined) hints.add({ kind: 'Scan', from: namespace.key })
    if (namespace === undefined || scraperNamespaces.has(namespace.value)) hints.list.push({ kind: 'Scan', from: 'no label names an object' })
  }

  const own = map.get(settings.clusterLabel.toLowerCase())
  const otherCluster = settings.cluster !== undefined && own !== undefined && own !== settings.cluster ? own : undefined
  return { hints: hints.list.slice(0, 40), domains, lint: lintLabels(map, hints.list), ...(otherCluster === undefined ? {} : { otherCluster }) }
}

/** Where Prometheus and kube-state-metrics usually live: `namespace` may be theirs. */
const scraperNamespaces = new Set(['monitoring', 'observability', 'prometheus', 'kube-system', 'openshift-monitoring', 'metrics', 'victoria-metrics'])

/** `exported_namespace` beats `namespace`; cert-manager's own namespace says where the scraper's target runs, not where the object is. */
function namespaces (map: LabelMap): { namespace?: { key: string, value: string }, doubtful?: { key: string, value: string } } {
  const plain = pick(map, ['namespace', 'ns', 'kube_namespace'])
  const exported = pick(map, aliases.objectNamespace)
  if (exported !== undefined) return { namespace: exported, doubtful: plain !== undefined && plain.value !== exported.value ? plain : undefined }
  if (plain === undefined) return {}
  return plain.value === 'cert-manager' ? { doubtful: plain } : { namespace: plain }
}

/** Without honorLabels `namespace` is that of cert-manager's Pod, whatever it is called; with it, the object's. */
const scrapedFromCertManager = (map: LabelMap): boolean => ['pod', 'container', 'service', 'job'].some(key => /(^|\/)cert-manager/.test(map.get(key) ?? ''))
const objectKinds = new Set<SubjectHint['kind']>(['Challenge', 'Order', 'CertificateRequest', 'Certificate', 'Domain', 'Secret', 'Ingress'])

const unplaced = new Set<SubjectHint['kind']>(['Scan', 'ClusterIssuer', 'Host'])

class Hints {
  list: SubjectHint[] = []
  namespace: string | undefined
  namespaceKey: string | undefined

  constructor (namespace: string | undefined, namespaceKey: string | undefined) {
    this.namespace = namespace
    this.namespaceKey = namespaceKey
  }

  /** `name` may read `namespace/name`. */
  add ({ kind, name, from, namespace = this.namespace }: { kind: SubjectHint['kind'], name?: string, from: string, namespace?: string }): void {
    const hint: SubjectHint = { kind, from: namespace === undefined || namespace !== this.namespace || unplaced.has(kind) ? from : `${this.namespaceKey} + ${from}` }
    if (namespace !== undefined && (kind === 'Scan' || !unplaced.has(kind))) hint.namespace = namespace.slice(0, 300)
    if (name !== undefined) {
      const [, before, after] = /^([^/]+)\/([^/]+)$/.exec(name) ?? []
      hint.name = (after ?? name).slice(0, 300)
      if (before !== undefined && kind !== 'Issuer' && kind !== 'ClusterIssuer') hint.namespace = before.slice(0, 300)
    }
    if (!this.list.some(other => other.kind === hint.kind && other.name === hint.name && other.namespace === hint.namespace)) this.list.push(hint)
  }

  /** The object, and what its name says about the objects that made it. */
  family (kind: 'Challenge' | 'Order' | 'CertificateRequest', name: string, from: string): void {
    this.add({ kind, name, from })
    const { order, request, certificate } = ancestorNames(name, kind)
    if (order !== undefined) this.add({ kind: 'Order', name: order, from: `prefix of ${from}` })
    if (request !== undefined) this.add({ kind: 'CertificateRequest', name: request, from: `prefix of ${from}` })
    if (certificate !== undefined) this.add({ kind: 'Certificate', name: certificate, from: `prefix of ${from}` })
  }

  /** Without a Certificate: the Order that a CertificateSigningRequest, which has no namespace, asked for. */
  signedFor (name: string, from: string): void {
    this.list.push({ kind: 'Order', name: name.slice(0, 300), from: `CertificateSigningRequest in ${from}` })
  }

  /** Everything once more in another namespace. */
  again (namespace: string, key: string): void {
    for (const hint of this.list.slice()) {
      if (hint.name !== undefined && hint.kind !== 'Scan') this.add({ kind: hint.kind, name: hint.name, from: `${key} + ${hint.from.replace(/^\w+ \+ /, '')}`, namespace })
    }
  }

  /** Everything once more without a namespace: one match in the cluster is enough. */
  anywhere (): void {
    for (const { kind, name, from } of this.list.slice()) {
      if (name !== undefined && ['Challenge', 'Order', 'CertificateRequest', 'Certificate'].includes(kind)) this.list.push({ kind, name, from: `${from.replace(/^\w+ \+ /, '')} in any namespace` })
    }
  }
}

function named (map: LabelMap, hints: Hints): void {
  const challenge = pick(map, aliases.challenge)
  if (challenge !== undefined) hints.add({ kind: 'Challenge', name: challenge.value, from: challenge.key })
  const order = pick(map, aliases.order)
  if (order !== undefined) hints.add({ kind: 'Order', name: order.value, from: order.key })
  const request = pick(map, aliases.request)
  if (request !== undefined) hints.add({ kind: 'CertificateRequest', name: request.value, from: request.key })
  const certificate = pick(map, aliases.certificate)
  if (certificate !== undefined) hints.add({ kind: 'Certificate', name: certificate.value, from: certificate.key })
  // Names that were made from others: what they were made from may outlive them.
  if (challenge !== undefined) hints.family('Challenge', challenge.value, challenge.key)
  if (order !== undefined) hints.family('Order', order.value, order.key)
  if (request !== undefined) hints.family('CertificateRequest', request.value, request.key)

  const signing = pick(map, aliases.signingRequest)
  if (signing !== undefined) hints.signedFor(signing.value, signing.key)
  const name = pick(map, aliases.name)
  if (name !== undefined) bareName(map, hints, name)
  const uid = pick(map, aliases.uid)
  if (uid !== undefined && /^[0-9a-f-]{20,40}$/i.test(uid.value)) hints.add({ kind: 'Uid', name: uid.value.toLowerCase(), from: uid.key })
}

/** `name` may be anything; `kind`, the metric's other labels and the shape of the name tell. */
function bareName (map: LabelMap, hints: Hints, { key, value }: { key: string, value: string }): void {
  const kind = pick(map, aliases.kind)?.value.toLowerCase().replace(/s$/, '')
  switch (kind) {
    case 'challenge': hints.family('Challenge', value, key); return
    case 'order': hints.family('Order', value, key); return
    case 'certificatesigningrequest': hints.signedFor(value, key); return
    case 'certificaterequest': hints.family('CertificateRequest', value, key); return
    case 'certificate': hints.add({ kind: 'Certificate', name: value, from: key }); return
    case 'issuer': hints.add({ kind: 'Issuer', name: value, from: key }); return
    case 'clusterissuer': hints.add({ kind: 'ClusterIssuer', name: value, from: key }); return
    case 'ingress': hints.add({ kind: 'Ingress', name: value, from: key }); return
    case 'secret': hints.add({ kind: 'Secret', name: value, from: key }); return
    // A solver's Pod, Service …: its name is random, its namespace tells.
    case 'pod': case 'service': case 'ingre': case 'httproute': return
  }
  const suffixes = generatedSuffixes(value)
  const looksLikeChallenge = suffixes === 2 || (map.has('domain') && map.has('type')) || map.has('processing')
  // certmanager_certificate_ready_status: `condition` and a Certificate's name.
  if (map.has('condition') && !looksLikeChallenge) hints.add({ kind: 'Certificate', name: value, from: key })
  if (looksLikeChallenge) hints.family('Challenge', value, key)
  if (suffixes > 0) hints.family('Order', value, key)
  for (const each of ['Challenge', 'Order', 'CertificateRequest', 'Certificate'] as const) hints.add({ kind: each, name: value, from: key })
  hints.family('CertificateRequest', value, key)
}

/** Labels with which cert-manager's ACME client metric comes (cert-manager pkg/metrics). */
const isClientMetric = (map: LabelMap): boolean => map.has('action') || (map.has('scheme') && map.has('method')) || /^\/(acme|directory)/.test(map.get('path') ?? '')
const isAcmeHost = (host: string): boolean => /^acme[-.\d]|\bacme\b|letsencrypt|zerossl|pki\.goog|buypass|sectigo|ssl\.com/.test(host)

function addDomains (map: LabelMap, hints: Hints): string[] {
  const domains: string[] = []
  const take = (key: string, value: string): void => {
    for (const domain of domainsIn(value).slice(0, 20)) {
      if (!domains.includes(domain)) domains.push(domain)
      hints.add({ kind: 'Domain', name: domain, from: key })
    }
  }
  for (const key of aliases.domain) if (map.has(key)) take(key, map.get(key)!)
  const host = map.get('host')
  if (host !== undefined) {
    const [name = ''] = domainsIn(host)
    if (isClientMetric(map) || isAcmeHost(name)) hints.add({ kind: 'Host', name: name || host, from: 'host' })
    else take('host', host)
  }
  // Blackbox probes: `instance` is a URL; for scrapers it is an address and port.
  for (const key of ['instance', 'target', 'url', 'probe']) if (/^https?:\/\//i.test(map.get(key) ?? '')) take(key, map.get(key)!)
  return domains
}

function addSecret (map: LabelMap, hints: Hints): void {
  const secret = pick(map, aliases.secret)
  if (secret !== undefined) hints.add({ kind: 'Secret', name: secret.value, from: secret.key, namespace: map.get('secret_namespace') })
}

function addOthers (map: LabelMap, hints: Hints): void {
  const ingress = pick(map, aliases.ingress)
  if (ingress !== undefined) hints.add({ kind: 'Ingress', name: ingress.value, from: ingress.key })
  const cluster = pick(map, aliases.clusterIssuer)
  if (cluster !== undefined) hints.add({ kind: 'ClusterIssuer', name: cluster.value.replace(/^clusterissuer\//i, ''), from: cluster.key })
  const issuer = pick(map, aliases.issuer)
  if (issuer !== undefined) {
    const [, kind, name = issuer.value] = /^(clusterissuer|issuer)\/(.+)$/i.exec(issuer.value) ?? []
    const given = (kind ?? map.get('issuer_kind') ?? '').toLowerCase()
    if (given !== 'clusterissuer') hints.add({ kind: 'Issuer', name, from: issuer.key })
    if (given !== 'issuer') hints.add({ kind: 'ClusterIssuer', name, from: issuer.key })
  }
}

/** Relabelling can drop a label after its text went into an annotation: `Order shop/shop-tls-1-2881 failed`. */
function addAnnotations (annotations: Record<string, string>, hints: Hints): void {
  if (hints.list.some(({ kind }) => kind !== 'Host')) return
  const text = ['summary', 'description', 'message'].map(key => String(annotations[key] ?? '').slice(0, 4_000)).join('\n')
  for (const [, kind = '', namespace, name = ''] of text.matchAll(/\b(certificaterequest|certificate|order|challenge)s?:?\s+["'`]?([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})/gi)) {
    const word = kind.toLowerCase()
    const own = word === 'certificaterequest' ? 'CertificateRequest' : word === 'certificate' ? 'Certificate' : word === 'order' ? 'Order' : 'Challenge'
    hints.add({ kind: own, name: name.replace(/[.-]+$/, ''), namespace, from: 'annotation' })
  }
}

/**
 * One key for all alerts of one failing Certificate or Order, from the labels alone: alerts that
 * differ in `reason`, `status`, challenge name or attempt meet. Resolution may join more later.
 */
export function incidentKey (hints: SubjectHint[], labels: Record<string, string>, cluster: string | undefined): string {
  const map = readLabels(labels)
  const place = cluster ?? map.get('cluster') ?? ''
  const named = hints.find(({ kind }) => kind === 'Certificate' || kind === 'CertificateRequest' || kind === 'Order' || kind === 'Challenge')
  const certain = pick(map, aliases.certificate)
  const first = named ?? hints.find(({ kind }) => kind !== 'Scan') ?? hints[0]
  const namespace = first?.namespace ?? ''
  if (certain !== undefined && named !== undefined) return [place, namespace, certain.value.replace(/^.*\//, '')].join('|')
  if (named?.name !== undefined) return [place, namespace, baseName(named)].join('|')
  if (first?.kind === 'Domain') return [place, namespace, `domain:${first.name?.replace(/^\*\./, '') ?? ''}`].join('|')
  return [place, namespace, `${(first?.kind ?? 'Scan').toLowerCase()}:${first?.name ?? ''}`].join('|')
}

/** The incident that the labels alone lead to; none for an alert of another cluster. */
export function placeOf (labels: Record<string, string>, annotations: Record<string, string>, { cluster, clusterLabel }: Pick<Config, 'cluster' | 'clusterLabel'>): { place?: IncidentPlace, note?: string } {
  const { hints, otherCluster } = subjectHints(labels, annotations, { clusterLabel, cluster })
  if (otherCluster !== undefined) return { note: `The alert belongs to cluster ${otherCluster}, not to ours.` }
  const named = (kind: string) => hints.find(hint => hint.kind === kind && hint.name !== undefined)
  const order = named('Order')
  const maybe = named('Certificate')
  // A bare `name` is tried as every kind; until the cluster says which, it is shown as the order's.
  const certificate = maybe?.name === order?.name && maybe?.from === order?.from ? undefined : maybe
  const namespace = (certificate ?? order ?? hints.find(hint => hint.namespace !== undefined))?.namespace ?? ''
  return {
    place: {
      key: incidentKey(hints, labels, cluster),
      cluster: labels[clusterLabel] ?? cluster ?? '',
      namespace,
      certificate: certificate?.name ?? '',
      order: order?.name ?? ''
    }
  }
}

function baseName ({ kind, name = '' }: SubjectHint): string {
  const suffixes = generatedSuffixes(name)
  if (kind === 'Certificate' && suffixes === 0) return name
  const shape = suffixes === 2 ? 'Challenge' : suffixes === 1 ? 'Order' : kind === 'CertificateRequest' ? 'CertificateRequest' : undefined
  return shape === undefined ? name : ancestorNames(name, shape).certificate ?? name
}
