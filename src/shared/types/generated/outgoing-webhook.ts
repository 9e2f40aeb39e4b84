/* Generated from schemas/outgoing-webhook.schema.json by `npm run generate`; do not edit. */

/**
 * What acme-triage posts to the URLs in `outgoing`, signed in X-Acme-Triage-Signature. At least once: drop what has a known id and revision.
 */
export interface OutgoingWebhook {
  version: '1'
  id: string
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
