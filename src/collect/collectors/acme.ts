import { unavailable } from '../../shared/types/common.ts'
import type { AcmeLook } from '../../shared/types/observations.ts'
import { askAcme } from '../../shared/clients/acme.ts'
import type { OutsideRequest } from '../outside-request.ts'
import type { Round } from '../outside-round.ts'

/** The CA's directory, and its own word on the order and each authorization that did not pass. */
export async function askTheCa (round: Round, request: OutsideRequest): Promise<void> {
  const { acme } = request
  if (acme === undefined) return
  const options = { ...round.clients.acme(acme.server, acme.caBundle, acme.skipTlsVerify === true), clock: round.clients.clock }
  const ask = (kind: AcmeLook['kind'], url: string): Promise<AcmeLook> =>
    round.look(['acme', kind, url].join('|'), `${kind} at the CA ${url.slice(0, 200)}`, 'acme', acme.server, async () => {
      const began = performance.now()
      const look = await askAcme(options, kind, url, round.signal)
      // Nobody calls a CA unreachable that was not given the time to answer.
      if (look.failure?.code !== 'timeout' || !round.cutShort(began)) return look
      return { kind, url, at: look.at, look: unavailable('the deadline of this look came before the CA\'s answer') }
    })

  await Promise.all([
    ask('directory', acme.server),
    request.orderUrl === undefined ? undefined : ask('order', request.orderUrl),
    ...request.identifiers.map(async ({ authorizationUrl, challengeUrl }) => {
      const whole = authorizationUrl === undefined ? undefined : await ask('authorization', authorizationUrl)
      // The authorization holds its challenges; the challenge alone is the way out for a CA that hides it.
      if (whole?.look.is !== 'seen' && challengeUrl !== undefined) await ask('challenge', challengeUrl)
    })
  ])
}
