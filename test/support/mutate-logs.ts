import type { LogRecord } from '../../src/correlate/log-grammars/record.ts'
import { readLog } from '../../src/correlate/log-grammars/read-log.ts'
import type { Material } from './material.ts'

export type Grammar = '1.8' | '1.12' | '1.14' | '1.15' | 'json'

interface GrammarOptions {
  /** Requeue lines lose their key, as from 1.16 on. */
  keyless?: boolean
}

/** cert-manager's logs in another grammar. Lines of other programs stay. */
export function rewriteLogs (material: Material, grammar: Grammar, options: GrammarOptions = {}): Material {
  return { ...material, logs: new Map([...material.logs].map(([key, text]) => [key, /\/(?:cert-manager-controller|cert-manager)(?:\.previous)?$/.test(key) ? rewriteLog(text, grammar, material.directory.now, options) : text])) }
}

function rewriteLog (text: string, grammar: Grammar, before: number, { keyless = false }: GrammarOptions = {}): string {
  const lines = text.split('\n').filter((line) => line !== '').map((line) => ({ text: line }))
  const records = readLog(lines, { namespace: '', pod: '', container: '', role: 'controller' }, before)
  return records.flatMap((record) => {
    const { time = before, raw, foreign, logger, message } = record
    const written = foreign === true || (logger === '' && record.fields.size === 0 && record.err === undefined) ? raw : write(keyless && message.startsWith('re-queuing') ? { ...record, fields: new Map([...record.fields].filter(([name]) => name !== 'key')) } : record, grammar)
    const stamp = new Date(time).toISOString().replace('Z', '000000Z')
    return written.split('\n').map((line) => `${stamp} ${line}\n`)
  }).join('')
}

const letters = { info: 'I', warning: 'W', error: 'E', fatal: 'F', unknown: 'I' } as const

function write ({ level, caller, logger, message, fields, err, time = 0 }: LogRecord, grammar: Grammar): string {
  const at = new Date(time).toISOString()
  const header = `${letters[level]}${at.slice(5, 7)}${at.slice(8, 10)} ${at.slice(11, 23)}000       1 ${caller === '' ? 'sync.go:1' : caller}]`
  const isError = level === 'error' || level === 'fatal'
  const controller = fields.get('resource_kind') === 'Order' ? 'orders' : fields.get('resource_kind') === 'Challenge' ? 'challenges' : 'certificates'
  const old = logger.startsWith('cert-manager.controller') ? logger.replace('cert-manager.controller', `cert-manager.${controller}`) : logger
  const rest = [...fields].filter(([name]) => name !== 'error')
  switch (grammar) {
    case '1.8': {
      const pairs = [...rest].sort(([a], [b]) => a < b ? -1 : 1).map(([name, value]) => `${JSON.stringify(name)}=${quoted(value)}`)
      return [header, old.replaceAll('.', '/'), `"msg"=${go(message)}`, ...err === undefined ? [] : [`"error"=${go(err)}`], ...pairs].join(' ')
    }
    case '1.12':
      return [header, go(`${old === '' ? '' : `${old.replaceAll('.', '/')}: `}${message}`), ...err === undefined ? [] : [`${isError ? 'err' : 'error'}=${block(err)}`], ...rest.map(([name, value]) => `${name}=${quotedOrBlock(value)}`)].join(' ')
    case '1.14': case '1.15': {
      const name = grammar === '1.14' ? old : logger
      return [header, go(message), ...err === undefined ? [] : [`${isError ? 'err' : 'error'}=${block(err)}`], ...name === '' ? [] : [`logger=${go(name)}`], ...rest.map(([key, value]) => `${key}=${quotedOrBlock(value)}`)].join(' ')
    }
    case 'json':
      return JSON.stringify({
        ts: time + 0.193, caller: `acmechallenges/${caller}`, msg: message, ...logger !== '' && { logger }, ...!isError && { v: 0 },
        ...Object.fromEntries(rest.map(([name, value]) => [name, name === 'key' && value.includes('/') ? { name: value.split('/')[1], namespace: value.split('/')[0] } : value])),
        ...err !== undefined && { [isError ? 'err' : 'error']: err }
      })
  }
}

/** strconv.Quote, near enough. */
const go = (text: string): string => JSON.stringify(text)
const bare = /^(?:[[{]|-?\d+(?:\.\d+)?$|true$|false$|null$)/
const quoted = (value: string): string => bare.test(value) ? value : go(value)
/** klog's text logger prints what has several lines as a block. */
const block = (value: string): string => value.includes('\n') ? `<\n${value.split('\n').map((line) => `\t${line}`).join('\n')}\n >` : go(value)
const quotedOrBlock = (value: string): string => bare.test(value) ? value : block(value)

/** Two logs as one, in order of time; what does not begin with a time stamp stays with the line before. */
export function mergeLogs (one: string, other: string): string {
  const entries = [one, other].flatMap((log) => {
    const found: { time: string, lines: string[] }[] = []
    for (const line of log.split('\n')) {
      if (line === '') continue
      const time = /^\d{4}-\d\d-\d\dT[\d:.]+/.exec(line)?.[0]
      const last = found.at(-1)
      const goesOn = time === undefined || /^\S+ (?:[\t ]|$)/.test(line)
      if (goesOn && last !== undefined) last.lines.push(line)
      else found.push({ time: time ?? '', lines: [line] })
    }
    return found
  })
  return entries.sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0).map(({ lines }) => `${lines.join('\n')}\n`).join('')
}
