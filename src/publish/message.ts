import type { KnownBlock } from '@slack/web-api'
import type { Millis } from '../shared/types/common.ts'

/**
 * What a transport carries and what it answers. Renderers make messages, the outbox decides
 * when they go, transports move them and say in one of few words how it ended.
 */
export interface SlackMessage {
  /** A full sentence: lock screens and screen readers read only this. */
  text: string
  blocks?: KnownBlock[]
  metadata?: DeliveryMetadata
}

/** Stands in the message's metadata, so that a message whose answer was lost is found again. */
interface DeliveryMetadata { incidentId: string, deliveryId: string, revision: number }

export interface SlackPlace { channel: string, ts: string }

/** Why a call did not do its work (users.md §5.10), each with an action of its own in the outbox. */
export type FailureClass =
  /** Permanent for this channel. */
  | 'configuration'
  /** Permanent until the token changes. */
  | 'credentials'
  /** The message itself. */
  | 'content'
  /** The message to edit or the thread to reply to is no more. */
  | 'target-gone'
  | 'rate'
  /** It may have happened. */
  | 'unclear'
  /** It has certainly not happened: the connection was never made. */
  | 'unsent'

export interface Failure {
  ok: false
  class: FailureClass
  error: string
  retryAfter?: Millis
  /** JSON pointers of what Slack refused, or the scope that is missing. */
  details?: string[]
  /** Slack has answered: nothing of this call is still under way. */
  answered: boolean
}
type Sent = { ok: true } & SlackPlace
export type Outcome = Sent | Failure

/** `missing`: looked for and not there. */
export type Found = { is: 'found', place: SlackPlace, revision: number } | { is: 'missing' } | { is: 'cannot-look', why: string } | { is: 'failed', failure: Failure }

export interface Transport {
  readonly name: 'slack' | 'slack-webhook' | 'mattermost' | 'log'
  /** What it can do beside posting. */
  readonly can: { edit: boolean, thread: boolean, find: boolean, file: boolean }
  post (channel: string, message: SlackMessage, thread?: { ts: string, broadcast?: boolean }): Promise<Outcome>
  edit (place: SlackPlace, message: SlackMessage): Promise<Outcome>
  find (channel: string, deliveryId: string, search: { oldest: Millis, thread?: string }): Promise<Found>
  upload (place: SlackPlace, file: SlackFile): Promise<Outcome>
  permalink (place: SlackPlace): Promise<string | undefined>
  /** Does the workspace take us now? */
  check (): Promise<{ ok: true, scopes: string[], team: string, user: string } | Failure>
  /** Reads the token again; true when it is another one. */
  refresh (): Promise<boolean>
  close (): Promise<void>
}

export interface SlackFile { name: string, title: string, altText: string, data: Buffer, comment?: string }
