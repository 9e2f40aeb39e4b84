/* Generated from schemas/outgoing-webhook.schema.json by `npm run generate`; do not edit. */

/**
 * What acme-triage posts to the URLs in `outgoing`, signed in X-Acme-Triage-Signature (v1= and the hex HMAC-SHA256 of X-Acme-Triage-Timestamp, a dot and the body). At least once: X-Acme-Triage-Delivery is the id, a dot and the revision, the same for every repeat; drop what has a known one.
 */
export interface OutgoingWebhook {
  version: '1'
  /**
   * Of this incident at this URL; stays the same
   */
  id: string
  /**
   * Grows with each change; a lower one than the last is out of date
   */
  revision: number
  sentAt: string
  incident: {
    id: string
    state: 'noticed' | 'diagnosed' | 'healed' | 'resolved'
    namespace: string
    certificate: string
    order: string
    cluster?: string
    openedAt: string
    closedAt?: string
  }
  /**
   * One full sentence: status, object, cause, next step.
   */
  summary: string
  verdict: 'pending' | 'cause' | 'unknown'
  causes: {
    id: string
    variant?: string
    confidence: 'proven' | 'likely' | 'possible'
    domains: string[]
    summary: string
  }[]
  nextStep?: {
    text: string
    command?: string
    /**
     * The command alters something.
     */
    changes: boolean
  }
  urgency: 'now' | 'today' | 'can wait' | 'unknown'
  servedUntil?: string
  report?: string
}
