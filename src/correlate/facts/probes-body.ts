import type { BodyKind } from '../../shared/types/case.ts'
import type { HttpHop } from '../../shared/types/observations.ts'

/** First match wins: the more telling before the more common. Texts as their products print them. */
const bodies: readonly [kind: BodyKind, match: RegExp][] = [
  ['cdn-challenge', /cf-challenge|challenge-platform|cf_chl_|Just a moment\.\.\.|Attention Required! \| Cloudflare|src="\/aes(\.min)?\.js"|toNumbers\(|_Incapsula_Resource|ddos-guard|sgcaptcha|\/_guard\/|Checking your browser/i],
  ['forward-proxy', /^squid\/|X-Squid-Error|\(squid(\/|\))|ERR_(ACCESS_DENIED|DNS_FAIL|CONNECT_FAIL)|Zscaler|Blue ?Coat|ProxySG|Forcepoint|McAfee Web Gateway|Skyhigh Secure Web|Websense|tinyproxy/i],
  ['waf-block', /acme-protocol|Request Rejected|The requested URL was rejected|Access Denied[\s\S]*(Reference #|errors\.edgesuite)|Sucuri WebSite Firewall|blocked by[\s\S]{0,60}(firewall|security|wordfence)|mod_security|web application firewall|Application Blocked|FortiGuard|Web Page Blocked/i],
  ['cdn-error', /cloudflare[\s\S]{0,400}(error code|Error)[: ]*5\d\d|error code: (5[23]\d|10\d\d)|\b52\d: |ERROR: The request could not be satisfied|Fastly error: unknown domain|Varnish cache server|AkamaiGHost/i],
  ['tls-on-80', /plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled|Client sent an HTTP request to an HTTPS server|This combination of host and port requires TLS/i],
  ['proxy-protocol-error', /PROXY protocol|proxy_protocol|broken header/i],
  ['default-backend', /default backend\s*-\s*404|^404 page not found\s*$|response 404 \(backend NotFound\), service rules for the path non-existent/i],
  ['load-balancer-404', /(Error 404[\s\S]*That’s an error|Google Frontend|<title>404 - Not Found<\/title>|awselb|Microsoft-Azure-Application-Gateway|no healthy upstream|The page cannot be displayed because an internal server error|No server is available to handle this request|<h1>404 Site Not Found<\/h1>|Our services aren't available right now)/i],
  ['login-page', /type=["']?password|<title>[^<]*(log ?in|sign ?in|authenticate|single sign)|\/oauth2\/(start|sign_in)|name=["']?(username|password)|SAMLRequest|keycloak|id="kc-/i],
  ['parking', /parked|parkingcrew|sedoparking|domain (is|may be) for sale|buy this domain|hugedomains|dan\.com|afternic|This domain (is|has been) registered|godaddy\.com\/(park|forsale)|bodis\.com|expired domain|Welcome to nginx!|Apache2 \w+ Default Page|IIS Windows Server|domain default page|Default Web Site Page|Website coming soon/i],
  ['maintenance', /maintenance|be right back|temporarily (down|closed)|under construction|Wartung/i],
  ['spa-index', /<div id=["']?(root|app|__next|__nuxt|svelte)["']?[ >]|<app-root|<script[^>]+type=["']?module|ng-version|data-reactroot|vite\.svg|window\.__NUXT__/i],
  ['html', /^\s*(<!doctype html|<html|<head|<\?xml)|<body|<center>|<h1>/i]
]

/** `<token>.<thumbprint>`: somebody's key authorization. */
const keyAuthorization = /^[\w-]{16,128}\.[\w-]{43}\s*$/

/** What kind of page answered, from status, headers and the first bytes. Undefined when nothing answered at all. */
export function bodyKind (hop: HttpHop, served: boolean | undefined): BodyKind | undefined {
  if (served === true) return 'key-authorization'
  if (hop.failure?.text.includes('speaks TLS on this port') === true) return 'tls-on-80'
  if (hop.status === undefined) return undefined
  const body = hop.body ?? ''
  if (hop.headers?.['cf-mitigated'] === 'challenge' || hop.headers?.['x-amzn-waf-action'] !== undefined) return 'cdn-challenge'
  if (hop.status >= 520 && hop.status <= 530 && cdnOf([hop]) === 'cloudflare') return 'cdn-error'
  if (body.trim() === '') return 'empty'
  if (keyAuthorization.test(body)) return 'other-key-authorization'
  const told = `${hop.server ?? ''}\n${body}`
  return bodies.find(([, match]) => match.test(told) || match.test(body))?.[0] ?? 'other'
}

const cdns: readonly [name: string, match: RegExp][] = [
  ['cloudflare', /cloudflare/i], ['cloudfront', /cloudfront/i], ['akamai', /akamai/i], ['fastly', /fastly/i], ['sucuri', /sucuri/i],
  ['imperva', /imperva|incapsula/i], ['azure front door', /x-azure-ref|azure-?front/i], ['bunny', /bunnycdn/i], ['vercel', /vercel/i],
  ['ddos-guard', /ddos-guard/i], ['google cdn', /google frontend|\b1\.1 google\b/i], ['netlify', /netlify/i], ['github pages', /github\.com/i], ['keycdn', /keycdn/i]
]
/** Headers that only one product sends, whatever their value. */
const cdnHeaders = new Map([['cf-ray', 'cloudflare'], ['cf-mitigated', 'cloudflare'], ['x-amz-cf-id', 'cloudfront'], ['x-amz-cf-pop', 'cloudfront'], ['x-akamai-request-id', 'akamai'], ['x-sucuri-id', 'sucuri'], ['x-iinfo', 'imperva'], ['x-azure-ref', 'azure front door'], ['x-vercel-id', 'vercel'], ['x-github-request-id', 'github pages']])

/** The CDN or DDoS shield that headers name, if any hop names one. */
export function cdnOf (hops: readonly HttpHop[]): string | undefined {
  for (const { server, headers = {} } of hops) {
    for (const name of Object.keys(headers)) if (cdnHeaders.has(name)) return cdnHeaders.get(name)
    const told = [server ?? '', headers['via'] ?? '', headers['x-cache'] ?? '', headers['x-served-by'] ?? '', headers['set-cookie'] ?? ''].join('\n')
    const found = cdns.find(([, match]) => match.test(told))?.[0] ?? (/^(__cf_bm|cf_)/m.test(headers['set-cookie'] ?? '') ? 'cloudflare' : /^(incap_ses|visid_incap)/m.test(headers['set-cookie'] ?? '') ? 'imperva' : undefined)
    if (found !== undefined) return found
  }
  return undefined
}
