import { defineCause } from '../cause.ts'
import { everywhere, withTheCa } from '../sources.ts'

/** The CA looks from several places. One got the right answer, others did not: not the solver, but who may reach it. */
export default defineCause({
  id: 'acme-secondary-validation-failed',
  since: '0.1.0',
  stage: 'validation',
  needs: [],
  title: '{dnsName} answers the CA from one place, but not from others',
  meaning: 'The primary vantage point of {acmeHost} accepted the answer; remote ones saw something else. Firewalls by country, allow-lists of addresses, or servers that do not all say the same do this.',
  remedy: [
    { do: 'Ask every address of the name, from more than one network.', run: 'dig +short A {dnsName} @1.1.1.1; dig +short AAAA {dnsName} @1.1.1.1' },
    'Open port 80 (and port 53 of the name servers) to the whole world: no geo-block, no allow-list of CA addresses; CAs do not publish them.',
    'Make all load balancer nodes and all name servers give the same answer.',
    { do: 'Then start a new attempt.', run: 'cmctl renew {certificate} -n {namespace}', changes: true }
  ],
  texts: [
    { in: everywhere, match: 'during secondary validation:', unless: 'rpc failed|insufficient remote perspectives|looking up caa|while processing caa', confidence: 'proven' },
    { in: everywhere, match: '.', when: { secondary: true, caa: false }, unless: 'during secondary validation|rpc failed|insufficient remote', confidence: 'proven' },
    { in: everywhere, match: '(multi[- ]?perspective|mpic).{0,80}(fail|not corroborat|quorum|insufficient)|(fail|not corroborat).{0,60}(multi[- ]?perspective|mpic)', confidence: 'likely' },
    { in: everywhere, match: '\\b(remote|secondary|other) (network )?(vantage points?|perspectives?|validators?)\\b', when: { wrapper: ['authorization', 'order-finalize', 'ca'] }, unless: 'insufficient remote perspectives|rpc failed|caa', confidence: 'likely' },
    { in: everywhere, match: '(\\bnot\\b|fail\\w*|insufficient|unable|few)\\b.{0,60}\\b(corroborat\\w+|(remote|network|all|enough|other) (network )?(perspectives?|vantage points?))|corroborat\\w+.{0,40}\\b(fail|insufficient)|\\b(perspectives?|vantage points?|quorum)\\b.{0,60}\\b(not|fail\\w*|insufficient|disagree\\w*|unable)\\b|\\b(only |from )\\d+ (out )?of (the )?\\d+ (\\w+ )?(perspectives?|vantage points?|locations?|regions?)', when: { wrapper: withTheCa }, unless: 'insufficient remote perspectives|rpc failed|multi[- ]?perspective|mpic|caa', confidence: 'likely' }
  ],
  related: ['http01-port80-blocked', 'http01-connection-filtered']
})
