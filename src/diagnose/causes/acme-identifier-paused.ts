import { defineCause } from '../cause.ts'
import { everywhere } from '../sources.ts'

/** The CA stopped this account from ordering this name after very many failures in a row; time alone does not heal it. */
export default defineCause({
  id: 'acme-identifier-paused',
  since: '0.1.0',
  stage: 'order',
  needs: [],
  title: '{acmeHost} has paused {dnsName} for this account after long repeated failure',
  meaning: 'The CA no longer accepts orders for this name from this account until a person lifts the pause at the address in its text. It was paused because validation failed over and over.',
  remedy: [
    { do: 'See how the earlier attempts failed; that fault comes back after the pause is lifted.', run: 'kubectl -n {namespace} describe certificate {certificate}' },
    { do: 'Read the address for lifting the pause in the text of the Order (whoever has it can lift the pause, so do not post it).', run: 'kubectl -n {namespace} get order {order} -o jsonpath="{.status.reason}"' },
    { do: 'When the old fault is repaired and the pause is lifted, start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [{ in: everywhere, match: 'temporarily prevented from requesting certificates|sfe/v1/unpause', confidence: 'proven' }, { in: everywhere, match: '\\b(is|are|been|was) paused\\b|\\bunpause\\b', when: { problem: ['rateLimited', 'unauthorized'] }, unless: 'temporarily prevented|unpause\\?jwt', confidence: 'likely' }],
  related: ['acme-rate-limited']
})
