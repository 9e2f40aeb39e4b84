/* Generated from schemas/probe-http01.schema.json by `npm run generate`; do not edit. */

export interface QuestionToAnOutsideProbeTheHTTP01PathOfAName {
  /**
   * A DNS name or an IP address; never a URL
   */
  name: string
  path: string
}
