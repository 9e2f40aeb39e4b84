import type { ConnectFailure } from '../types/observations.ts'

/**
 * Where an outgoing connection really goes. In production the identity; in replay, demo and
 * tests the world's loopback ports. Every client calls it once for each connection attempt,
 * with the host (name or IP literal, no brackets) and port it means to dial.
 */
export type Route = (host: string, port: number) => Destination

export type Destination =
  | { host: string, port: number }
  /**
   * The connection attempt ends like this, at once: the world's way to say "a black hole" or
   * "nobody recorded that address" without anyone waiting for a real time-out.
   */
  | { fails: Extract<ConnectFailure, 'timeout' | 'refused' | 'unreachable' | 'not-recorded'> }

/** Production: connections go where they say. */
export const direct: Route = (host, port) => ({ host, port })
