import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { isRecord } from './kubernetes-objects.ts'

/** TLS material of one connection; a change of any part needs new connections. */
export interface TlsMaterial { ca?: string, cert?: string, key?: string, passphrase?: string, servername?: string, rejectUnauthorized?: boolean }

/** Where the API is and how to prove who we are; asked before each request, so that rotated tokens and certificates are picked up. */
export interface Credentials {
  server: string
  current (): Promise<{ headers: Record<string, string>, tls: TlsMaterial }>
  /** A proxy of the kubeconfig (`proxy-url`). */
  proxy?: string
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The kubeconfig (path, several paths or YAML text), else the ServiceAccount of the Pod, else undefined: no cluster. Throws when a named kubeconfig is unusable. */
export function findCredentials (kubeconfig: string | undefined, env: NodeJS.ProcessEnv = process.env): Credentials | undefined {
  if (kubeconfig !== undefined && kubeconfig.trim() !== '') return fromKubeconfig(kubeconfig)
  if (env.KUBERNETES_SERVICE_HOST && existsSync(`${serviceAccount}/token`)) {
    const host = env.KUBERNETES_SERVICE_HOST
    return {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${env.KUBERNETES_SERVICE_PORT || '443'}`,
      // Projected tokens are replaced before they expire; the file is the truth.
      current: async () => ({ headers: { authorization: `Bearer ${readCached(`${serviceAccount}/token`).trim()}` }, tls: { ca: readCached(`${serviceAccount}/ca.crt`) } })
    }
  }
  return undefined
}

function fromKubeconfig (kubeconfig: string): Credentials {
  const isText = kubeconfig.includes('\n') || kubeconfig.trimStart().startsWith('{')
  if (!isText && kubeconfig.includes(':') && !existsSync(kubeconfig)) return throughClientNode(kubeconfig, false)
  const config = parse(isText ? kubeconfig : readFileSync(kubeconfig, 'utf8'), { schema: 'core' }) as unknown
  const base = isText ? process.cwd() : dirname(resolve(kubeconfig))
  const context = named(config, 'contexts', isRecord(config) ? config['current-context'] : undefined, 'context')
  const cluster = named(config, 'clusters', context.cluster, 'cluster')
  const user = context.user === undefined || context.user === '' ? {} : named(config, 'users', context.user, 'user')
  const server = text(cluster.server)
  if (server === undefined) throw new Error('the kubeconfig names no server')
  // Plug-ins and proxies are client-node's business; it costs 80 MB and half a second, so only then.
  if (user.exec !== undefined || user['auth-provider'] !== undefined || cluster['proxy-url'] !== undefined) return throughClientNode(kubeconfig, isText)

  const material = (owner: Record<string, unknown>, name: string): string | undefined => {
    const data = text(owner[`${name}-data`])
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
    const file = text(owner[name])
    return file === undefined ? undefined : readCached(resolve(base, file))
  }
  return {
    server: server.replace(/\/+$/, ''),
    current: async () => {
      const headers: Record<string, string> = {}
      const tokenFile = text(user.tokenFile)
      const token = tokenFile === undefined ? text(user.token) : readCached(resolve(base, tokenFile)).trim()
      if (token !== undefined) headers.authorization = `Bearer ${token}`
      else if (text(user.username) !== undefined) headers.authorization = `Basic ${Buffer.from(`${text(user.username)}:${text(user.password) ?? ''}`).toString('base64')}`
      const tls: TlsMaterial = { ca: material(cluster, 'certificate-authority'), cert: material(user, 'client-certificate'), key: material(user, 'client-key') }
      const servername = text(cluster['tls-server-name'])
      if (servername !== undefined) tls.servername = servername
      if (cluster['insecure-skip-tls-verify'] === true) tls.rejectUnauthorized = false
      return { headers, tls }
    }
  }
}

/** exec, OIDC and cloud plug-ins, several files, proxies: what @kubernetes/client-node knows. */
function throughClientNode (kubeconfig: string, isText: boolean): Credentials {
  const loaded = (async () => {
    const { KubeConfig } = await import('@kubernetes/client-node')
    const config = new KubeConfig()
    if (isText) config.loadFromString(kubeconfig)
    else {
      for (const [index, path] of kubeconfig.split(':').filter(existsSync).entries()) {
        if (index === 0) config.loadFromFile(path)
        else { const more = new KubeConfig(); more.loadFromFile(path); config.mergeConfig(more, true) }
      }
    }
    return config
  })()
  loaded.catch(() => {})
  const credentials: Credentials = {
    server: '',
    current: async () => {
      const config = await loaded
      const cluster = config.getCurrentCluster()
      if (cluster === null) throw new Error('the kubeconfig has no current cluster')
      credentials.server = cluster.server.replace(/\/+$/, '')
      if (cluster.proxyUrl !== undefined) credentials.proxy = cluster.proxyUrl
      const options: Record<string, unknown> = {}
      await config.applyToHTTPSOptions(options)
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries(isRecord(options.headers) ? options.headers : {})) headers[name.toLowerCase()] = String(value)
      if (text(options.auth) !== undefined) headers.authorization ??= `Basic ${Buffer.from(text(options.auth)!).toString('base64')}`
      const material = (value: unknown): string | undefined => value === undefined || value === null ? undefined : String(value)
      const tls: TlsMaterial = { ca: material(options.ca), cert: material(options.cert), key: material(options.key), passphrase: material(options.passphrase), servername: material(options.servername) }
      if (typeof options.rejectUnauthorized === 'boolean') tls.rejectUnauthorized = options.rejectUnauthorized
      return { headers, tls }
    }
  }
  return credentials
}

const text = (value: unknown): string | undefined => typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined

function named (config: unknown, list: string, name: unknown, field: string): Record<string, unknown> {
  const entries = isRecord(config) && Array.isArray(config[list]) ? config[list] as unknown[] : []
  const found = entries.find(entry => isRecord(entry) && (name === undefined || name === '' ? entries.length === 1 : entry.name === name))
  if (!isRecord(found) || !isRecord(found[field])) throw new Error(`the kubeconfig has no ${field} ${typeof name === 'string' ? `"${name}"` : '(current-context is not set)'}`)
  return found[field]
}

const files = new Map<string, { mtime: number, content: string }>()
/** Reads a file again only when it changed: this runs before every request. */
function readCached (path: string): string {
  const mtime = statSync(path).mtimeMs
  const known = files.get(path)
  if (known?.mtime === mtime) return known.content
  const content = readFileSync(path, 'utf8')
  files.set(path, { mtime, content })
  return content
}
