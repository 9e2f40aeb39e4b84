import { createServer } from 'node:http'
import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import packet from 'dns-packet'
import { zone } from '../support/outside-lab.ts'

export interface LabSize { names: string[], nameServers: string[], resolvers: string[], addresses: string[], delay: number }

/** Name servers, resolvers, web servers and an outside probe, each of which takes its time. Tells where they listen. */
const { names, nameServers, resolvers, addresses, delay } = JSON.parse(process.argv[2]!) as LabSize
const records: Record<string, string[]> = {
  'example.com SOA': ['ns1.example.com hostmaster.example.com 1 7200 900 1209600 300'],
  'example.com NS': nameServers.map((_, index) => `ns${index + 1}.example.com`),
  'example.com CAA': ['0 issue letsencrypt.org'],
  'com NS': ['a.gtld.example'],
  'a.gtld.example A': [nameServers[0]!],
  ...Object.fromEntries(nameServers.map((address, index) => [`ns${index + 1}.example.com A`, [address]])),
  ...Object.fromEntries(names.flatMap(name => [[`${name} A`, addresses], [`_acme-challenge.${name} TXT`, ['an-old-value']]]))
}
const answer = zone(records, packet.RECURSION_AVAILABLE)
const places: Record<string, { host: string, port: number }> = {}

for (const address of [...nameServers, ...resolvers]) {
  const server = createSocket('udp4')
  server.on('message', (data, peer) => {
    const query = packet.decode(data) as packet.DecodedPacket
    const reply = answer(query, 'udp') as Buffer
    setTimeout(() => { server.send(reply, peer.port, peer.address) }, delay)
  })
  await new Promise<void>(resolve => { server.bind(0, '127.0.0.1', resolve) })
  places[`${address}:53`] = { host: '127.0.0.1', port: server.address().port }
}
for (const [address, port] of [...addresses.map(each => [each, 80] as const), ['probe.example', 8080] as const]) {
  const web = createServer((request, response) => {
    request.resume()
    setTimeout(() => {
      if (port === 80) response.writeHead(404, { 'content-type': 'text/html', server: 'nginx' }).end('default backend - 404')
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ at: Date.now(), dns: [], http: [] }))
    }, delay)
  })
  await new Promise<void>(resolve => { web.listen(0, '127.0.0.1', resolve) })
  places[`${address}:${port}`] = { host: '127.0.0.1', port: (web.address() as AddressInfo).port }
}
process.once('SIGTERM', () => { process.exit(0) })
process.send!({ places })
