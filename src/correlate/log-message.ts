import type { Wrapper } from '../shared/types/case.ts'
import { fold } from './acme-problem.ts'
import type { LogRecord } from './log-grammars/record.ts'

/** Messages of lines that healthy issuance prints at error level, and of heartbeats. */
const noisyMessage = new RegExp([
  'in work queue no longer exists', '^re-queuing item due to optimistic locking',
  '^(?:found one existing|Found existing HTTPRoute|getting httpRoutes)', '^(?:creating HTTP01 challenge solver|deleting pod resource|successfully deleted pod resource)',
  '^(?:Setting lastTransitionTime|verified existing registration|skipping re-verifying ACME account)', 'prefer a domain-qualified finalizer name', 'Watch close - '
].join('|'))
/** Errors of objects that went away or changed in between: the controller's own races. */
const noisyError = new RegExp([
  'Operation cannot be fulfilled on .{1,200} the object has been modified', '(?:challenges|orders)\\.acme\\.cert-manager\\.io "[^"]*" not found',
  'certificaterequests?\\.cert-manager\\.io "[^"]*" not found'
].join('|'))

/** A failure that is put back into the queue. */
export const isRequeue = ({ message }: LogRecord): boolean => message.startsWith('re-queuing item')

/** Is it printed by healthy controllers, too? */
export function isNoise ({ message, err }: LogRecord): boolean {
  if (message === 'failed to update status' && err === undefined) return true
  return noisyMessage.test(message) || noisyError.test(err ?? message)
}

/** What the ACME client, the API server or the network in between says where a solver's own words could stand. */
const notOfSolver = /acme|urn:|nonce|directory|authori[sz]ation error|issuer|account key|object has been modified|etcdserver|the server (?:could not|is currently|was unable|has asked)|client rate limiter|^context (?:deadline exceeded|canceled)$|admission webhook|Internal error occurred|is forbidden: |leader/i

/** The stage that a message of cert-manager's belongs to. */
export function stageOfMessage (record: LogRecord): Wrapper {
  const { message, logger, err } = record
  if (message.startsWith('propagation check failed')) return 'self-check'
  if (message.startsWith('error cleaning up challenge') || logger.endsWith('.CleanUp')) return 'cleanup'
  if (/^error accepting challenge|non-ACME API error/.test(message)) return 'accept'
  if (message.startsWith('error waiting for authorization')) return 'authorization'
  if (message.startsWith('failed to create Order resource')) return 'order-create'
  if (/^failed to (?:finalize Order|retrieve issued certificate)|^invalid certificate data/.test(message)) return 'order-finalize'
  if (/^failed to (?:update Order status|retrieve the ACME order|fetch authorization)|^acme server fatal error/.test(message)) return 'order-other'
  if (/^Failed to determine the list of Challenge/i.test(message)) return 'solver-selection'
  if (/^failed to (?:register|verify|update)(?: an)? ACME account/.test(message)) return 'account'
  if (logger.endsWith('.Present') || /^error presenting|^error getting solver/.test(message)) return 'present'
  // What puts a Challenge back is told with a message of its own, unless its solver failed.
  if (isRequeue(record) && /(?:^|[./])challenges$/.test(logger) && err !== undefined && !notOfSolver.test(err.replaceAll('_acme-challenge', ''))) return 'present'
  return 'log'
}

/** The words of an entry in one line, as a person would quote them. */
export const wordsOf = ({ message, err }: LogRecord): string => fold(err === undefined || message.includes(err) ? message : `${message}: ${err}`)
