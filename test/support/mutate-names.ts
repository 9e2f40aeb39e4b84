import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { adler32 } from '../../src/shared/adler32.ts'
import { mapMaterial, mapObjects, objectsOf, textAt, textsAt, type Material } from './material.ts'

/** Names that mean something to Kubernetes, cert-manager or the texts of programs. */
const fixed = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease', 'cert-manager', 'ingress-nginx', 'traefik', 'istio-system', 'istio-ingress', 'linkerd', 'kong', 'contour', 'projectcontour', 'argocd', 'monitoring', 'cluster', 'dns', 'gateway', 'ingress', 'nginx', 'issuer', 'certificate', 'server', 'service', 'secret', 'tls', 'web', 'api', 'app', 'http', 'https', 'test', 'acme', 'ca', 'error', 'order', 'challenge', 'letsencrypt', 'zerossl'])
/** Domains of CAs, providers and projects: their names are part of their texts. */
const others = /(?:^|\.)(?:letsencrypt\.org|zerossl\.com|pki\.goog|buypass\.(?:com|no)|sectigo\.com|ssl\.com|digicert\.com|cert-manager\.io|kubernetes\.io|k8s\.io|amazonaws\.com|cloudflare\.com|googleapis\.com|azure\.com|cluster\.local|local|internal|localhost|svc|lan|home|corp)$/i

interface Renamed { material: Material, rename: (text: string) => string }

/** Consistently other names, namespaces, domains, UIDs, hashes, tokens, numbers and addresses. Names of one shape stay alike. */
export function renameAll (material: Material, { salt = 'a', international = false, keepNames = [] as string[], pairs: more = [] as [string, string][] } = {}): Renamed {
  const cipher = cipherOf(salt)
  const pairs = new Map<string, string>()
  const put = (name: string, to = cipher(name)): void => {
    if (name.length < 3 || name.length > 38 || fixed.has(name.toLowerCase()) || keepNames.includes(name) || pairs.has(name.toLowerCase())) return
    pairs.set(name.toLowerCase(), to)
  }
  for (const [from, to] of more) pairs.set(from.toLowerCase(), to)
  const subjects = objectsOf(material, 'Certificate', 'CertificateRequest', 'Order', 'Challenge')
  const domains = new Set(subjects.flatMap((object) => [...textsAt(object, 'spec', 'dnsNames'), textAt(object, 'spec', 'dnsName'), textAt(object, 'spec', 'commonName')]))
  for (const domain of domains) {
    const labels = domain.toLowerCase().replace(/^\*\./, '').split('.')
    if (labels.length < 2 || isIP(domain) !== 0 || others.test(domain)) continue
    const depth = labels.length > 2 && labels.at(-2)!.length <= 3 ? 3 : 2
    const base = labels.slice(-depth)
    if (pairs.has(base.join('.'))) continue
    const label = base[0]!.startsWith('xn--') ? cipher('intl') : cipher(base[0]!)
    pairs.set(base.join('.'), [international ? domainToASCII(`${label}ü`) : label, ...base.slice(1)].join('.'))
  }
  for (const object of subjects) {
    put(object.metadata.namespace ?? '')
    if (object.kind === 'Certificate') {
      put(object.metadata.name)
      put(textAt(object, 'spec', 'secretName'))
    }
  }
  for (const { metadata } of objectsOf(material, 'Issuer', 'ClusterIssuer')) put(metadata.name)
  const words = replacer(pairs)
  const hash = (text: string): string => createHash('sha256').update(salt + text).digest('hex')
  const uid = (text: string): string => hash(text.toLowerCase()).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/, '$1-$2-4$3-a$4-$5')
  const digits = (text: string): string => text.replaceAll(/\d/g, (digit, at: number) => String((Number(digit) + 3) % 9 + (at === 0 ? 1 : 0)))
  const tokens = replacer(new Map(objectsOf(material, 'Challenge').flatMap(({ spec }) => [textAt(spec, 'token'), textAt(spec, 'key')]).flatMap((key) => key.split('.')).filter((token) => token.length > 16)
    .map((token) => [token, createHash('sha256').update(salt + token).digest('base64url').padEnd(token.length, 'x').slice(0, token.length)])), true)
  const rename = (text: string): string => words(tokens(text))
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, uid)
    .replaceAll(/cm-acme-http-solver-([a-z0-9]{5})\b/g, (_, suffix: string) => `cm-acme-http-solver-${hash(suffix).slice(0, 5)}`)
    .replaceAll(/(?<=[a-z0-9]-)\d{8,10}(?=[^\d.]|$)/g, digits)
    .replaceAll(/(?<=\/(?:acme\/)?(?:order|authz|authz-v3|acct|chall|chall-v3|finalize|cert|reg)\/)\d[\d/]*/g, (path) => path.replaceAll(/\d+/g, digits))
    .replaceAll(/\b(203\.0\.113|198\.51\.100)\.(\d{1,3})\b/g, (_, net: string, host: string) => `${net === '203.0.113' ? '198.51.100' : '203.0.113'}.${host}`)
  const renamed = mapMaterial(material, rename)
  return { material: relabel(renamed), rename }

  /** The solver objects' labels are checksums of name and token. */
  function relabel (changed: Material): Material {
    const sums = new Map<string, string>()
    for (const { spec } of objectsOf(material, 'Challenge')) for (const value of [textAt(spec, 'dnsName'), textAt(spec, 'token')]) sums.set(String(adler32(value)), String(adler32(rename(value))))
    return mapObjects(changed, (object) => {
      const { labels } = object.metadata
      if (labels === undefined) return object
      const next = Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, key.startsWith('acme.cert-manager.io/http-') ? sums.get(value) ?? value : value]))
      return { ...object, metadata: { ...object.metadata, labels: next } }
    })
  }
}

/** Letters for letters, so that alike names stay alike and lengths stay. */
function cipherOf (salt: string): (name: string) => string {
  const letters = [...'bcdfghjklmnpqrstvwxzaeiouy']
  const shift = 3 + createHash('sha256').update(salt).digest()[0]! % 20
  return (name) => name.replaceAll(/[a-z]/gi, (letter) => letters[(letters.indexOf(letter.toLowerCase()) + shift) % letters.length]!)
}

/** Whole words for whole words, in one pass. */
function replacer (pairs: ReadonlyMap<string, string>, exact = false): (text: string) => string {
  if (pairs.size === 0) return (text) => text
  const from = [...pairs.keys()].sort((a, b) => b.length - a.length).map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  const pattern = new RegExp(`(?<![A-Za-z0-9])(?:${from.join('|')})(?![A-Za-z0-9])`, exact ? 'g' : 'gi')
  return (text) => text.replaceAll(pattern, (word) => pairs.get(exact ? word : word.toLowerCase()) ?? word)
}
