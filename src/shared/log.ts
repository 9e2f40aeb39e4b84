import { pino, type DestinationStream, type Logger } from 'pino'
import { redactText } from './redact.ts'

export type Log = Logger

/** Fields that hold credentials wherever they turn up. */
const redactedPaths = [
  'authorization', 'token', 'password', 'secret', 'cookie',
  '*.authorization', '*.token', '*.password', '*.secret', '*.cookie',
  'headers.authorization', 'headers.cookie', 'req.headers.authorization', 'req.headers.cookie', 'config.headers.Authorization', '*.config.headers.Authorization'
]

/**
 * JSON lines on stdout. Secrets are taken out twice: by the path of the field, and by value
 * (`secrets`) and shape from the finished line, since error texts quote what they were given.
 */
export function buildLog (options: { level: string, secrets?: readonly string[], destination?: DestinationStream }): Log {
  const { level, secrets = [], destination } = options
  const known = secrets.flatMap(secret => [secret, JSON.stringify(secret).slice(1, -1)])
  return pino({
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: label => ({ level: label }) },
    redact: { paths: redactedPaths, censor: '<redacted>' },
    hooks: { streamWrite: line => redactText(line, known) }
  }, destination ?? pino.destination({ dest: 1, sync: true }))
}
