import { createHash, timingSafeEqual } from 'node:crypto'
import type { Config } from '../shared/config/config.ts'

type Authentication = 'ok' | 'missing' | 'wrong'

/** Says whether a request may come in; `query` is the token in the URL, for senders that can do nothing else. */
export type Authenticate = (request: { authorization?: string, query?: string }) => Authentication

/**
 * Bearer, Basic, or `?token=`. Every configured secret is good, so that two are during a rotation.
 * Basic with a token as its password is good as well: `http://any:token@host/` in Alertmanager's
 * url wins over its authorization block. No secrets: everybody may come in.
 */
export function buildAuthenticate ({ tokens, basic }: Pick<Config['webhook'], 'tokens' | 'basic'>): Authenticate {
  const tokenDigests = tokens.map(digest)
  const basicDigests = basic.map(({ user, password }) => digest(`${user}:${password}`))
  if (tokenDigests.length + basicDigests.length === 0) return () => 'ok'
  return ({ authorization, query }) => {
    if (authorization === undefined) return query === undefined ? 'missing' : among(tokenDigests, query) ? 'ok' : 'wrong'
    const [, scheme = '', credentials = ''] = /^(\S+)\s+(.*)$/.exec(authorization.trim()) ?? []
    switch (scheme.toLowerCase()) {
      case 'bearer': return among(tokenDigests, credentials.trim()) ? 'ok' : 'wrong'
      case 'basic': {
        const pair = Buffer.from(credentials, 'base64').toString()
        const known = among(basicDigests, pair)
        return among(tokenDigests, pair.slice(pair.indexOf(':') + 1)) || known ? 'ok' : 'wrong'
      }
      default: return 'wrong'
    }
  }
}

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** Compares with every secret, whichever fits: the time tells nothing. */
function among (digests: Buffer[], given: string): boolean {
  const own = digest(given)
  let found = false
  for (const each of digests) found = timingSafeEqual(each, own) || found
  return found
}
