/* Generated from schemas/probe-answer.schema.json by `npm run generate`; do not edit. */

export type Text = string

export interface AnswerOfAnOutsideProbe {
  at: number
  /**
   * @maxItems 100
   */
  dns: DnsLook[]
  /**
   * @maxItems 20
   */
  http?:
    | []
    | [HttpLook]
    | [HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook, HttpLook]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
    | [
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook,
        HttpLook
      ]
}
export interface DnsLook {
  vantage: Text
  server: Text
  name: Text
  type: 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'CAA' | 'NS' | 'SOA' | 'DS'
  checkingDisabled?: boolean
  at: number
  ms: number
  failure?: 'timeout' | 'refused' | 'unreachable' | 'malformed' | 'not-recorded' | 'blocked' | 'name-server-unknown'
  look: Unavailable
}
export interface Unavailable {
  is: 'seen' | 'absent' | 'unavailable'
  why?: Text
  fix?: Text
}
export interface HttpLook {
  vantage: Text
  purpose: 'challenge' | 'served-certificate'
  dnsName: Text
  url: Text
  address: Text
  at: number
  ms: number
  served?: boolean
  look: Unavailable
}
