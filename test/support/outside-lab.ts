import { createSocket } from 'node:dgram'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import packet from 'dns-packet'
import type { Route } from '../../src/shared/clients/route.ts'

type Query = packet.DecodedPacket
/** What a lying server does: the raw bytes to send back; undefined keeps silent. */
export type DnsBehaviour = (query: Query, over: 'udp' | 'tcp') => Buffer | Buffer[] | undefined

/** Answers a query with records; `extra` overrides anything. */
export function dnsReply (query: Query, answers: packet.Answer[], extra: Partial<packet.Packet> & { rcode?: number } = {}): Buffer {
  const { rcode = 0, ...rest } = extra
  return packet.encode({ id: query.id, type: 'response', flags: packet.RECURSION_DESIRED | rcode, questions: query.questions, answers, ...rest })
}

/** A zone file in short: `name type` → data; names not listed are NXDOMAIN. */
export function zone (records: Record<string, string[]>, flags = 0): DnsBehaviour {
  const names = new Set(Object.keys(records).flatMap((key) => {
    const labels = key.split(' ')[0]!.split('.')
    return labels.map((_, index) => labels.slice(index).join('.'))
  }))
  return (query) => {
    const { name, type } = query.questions![0]!
    const answers: packet.Answer[] = []
    let at = name.toLowerCase()
    for (let hops = 0; hops < 8; hops++) {
      const own = records[`${at} ${type}`]
      if (own !== undefined) { answers.push(...own.map((data) => toRecord(at, type, data))); break }
      const [target] = records[`${at} CNAME`] ?? []
      if (target === undefined) break
      answers.push({ type: 'CNAME', name: at, ttl: 60, data: target })
      at = target
    }
    const known = names.has(at)
    return packet.encode({ id: query.id, type: 'response', flags: packet.RECURSION_DESIRED | flags | (known ? 0 : 3), questions: query.questions, answers })
  }
}

function toRecord (name: string, type: string, data: string): packet.Answer {
  switch (type) {
    case 'SOA': {
      const [mname, rname, serial, refresh, retry, expire, minimum] = data.split(' ')
      return { type, name, ttl: 60, data: { mname: mname!, rname: rname!, serial: Number(serial), refresh: Number(refresh), retry: Number(retry), expire: Number(expire), minimum: Number(minimum) } }
    }
    case 'CAA': {
      const [flags, tag, value] = data.split(' ')
      return { type, name, ttl: 60, data: { flags: Number(flags), tag: tag as 'issue', value: value! } }
    }
    case 'TXT': return { type, name, ttl: 60, data: [data] }
    default: return { type, name, ttl: 60, data } as packet.Answer
  }
}

/** Loopback servers that stand for addresses of the internet. */
export interface Lab {
  route: Route
  /** `host:port` of every connection that was asked for, in order. */
  dialled: string[]
  dns (address: string, behaviour: DnsBehaviour): Promise<void>
  web (address: string, listener: RequestListener, port?: number): Promise<void>
  /** HTTPS with the given PEM pair. */
  secure (address: string, pair: { cert: string, key: string }, listener: RequestListener, port?: number): Promise<void>
  raw (address: string, handler: (socket: Socket) => void, port?: number): Promise<void>
  fails (address: string, port: number, failure: 'timeout' | 'refused' | 'unreachable' | 'not-recorded'): void
  close (): Promise<void>
}

/** Opens an empty lab; what nobody set up is `not-recorded`. */
export function openLab (): Lab {
  const places = new Map<string, ReturnType<Route>>()
  const closers: (() => Promise<void>)[] = []
  const dialled: string[] = []
  const listen = async (server: Server, key: string): Promise<void> => {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    places.set(key, { host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    closers.push(() => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => resolve())
    }))
  }
  return {
    dialled,
    route: (host, port) => {
      dialled.push(`${host}:${port}`)
      return places.get(`${host}:${port}`) ?? { fails: 'not-recorded' }
    },
    async dns (address, behaviour) {
      const udp = createSocket('udp4')
      const server = createTcpServer((socket) => {
        let received = Buffer.alloc(0)
        socket.on('error', () => {})
        socket.on('data', (data) => {
          received = Buffer.concat([received, data])
          if (received.length < 2 || received.length < received.readUInt16BE(0) + 2) return
          for (const message of [behaviour(packet.decode(received.subarray(2)) as Query, 'tcp') ?? []].flat()) {
            const length = Buffer.alloc(2)
            length.writeUInt16BE(message.length)
            socket.write(Buffer.concat([length, message]))
          }
        })
      })
      // UDP and TCP of one name server share a port number.
      for (;;) {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        const { port } = server.address() as AddressInfo
        const bound = await new Promise<boolean>((resolve) => {
          udp.once('error', () => resolve(false))
          udp.bind(port, '127.0.0.1', () => resolve(true))
        })
        if (bound) { places.set(`${address}:53`, { host: '127.0.0.1', port }); break }
        await new Promise((resolve) => server.close(resolve))
      }
      udp.on('message', (data, peer) => {
        for (const message of [behaviour(packet.decode(data) as Query, 'udp') ?? []].flat()) udp.send(message, peer.port, peer.address)
      })
      closers.push(() => new Promise((resolve) => { udp.close(); server.close(() => resolve()) }))
    },
    web: (address, listener, port = 80) => listen(createHttpServer({ maxHeaderSize: 1 << 20 }, listener), `${address}:${port}`),
    secure: (address, pair, listener, port = 443) => listen(createHttpsServer(pair, listener), `${address}:${port}`),
    raw: (address, handler, port = 80) => listen(createTcpServer(handler), `${address}:${port}`),
    fails: (address, port, failure) => { places.set(`${address}:${port}`, { fails: failure }) },
    async close () { await Promise.all(closers.map((close) => close())) }
  }
}

/** A self-signed pair for shop.example.com, ca.example, probe.example and dns.example; made for these tests, good until 2041. */
export const labPair = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBzDCCAXKgAwIBAgIUZVwwam884JruR5YugJlNcIigKmkwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNbGFiIGF1dGhvcml0eTAeFw0yNjExMjUwMjU4NThaFw00MTA5
MDcwMjU4NThaMBgxFjAUBgNVBAMMDWxhYiBhdXRob3JpdHkwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAS2vvuJyrMKSKW13o54+3+79cKUJ/u+qkKtR6ciAktbZgk+
1soV67TRADmWHM2x1JyX5uF2Uq4BsjsygT2hz9uBo4GZMIGWMB0GA1UdDgQWBBTD
9UOjj0C30gJajQLxC778I/UAWDAfBgNVHSMEGDAWgBTD9UOjj0C30gJajQLxC778
I/UAWDAPBgNVHRMBAf8EBTADAQH/MEMGA1UdEQQ8MDqCEHNob3AuZXhhbXBsZS5j
b22CCmNhLmV4YW1wbGWCDXByb2JlLmV4YW1wbGWCC2Rucy5leGFtcGxlMAoGCCqG
SM49BAMCA0gAMEUCIQDQr94NmDZ2b3zD5zHHUYDc4NyIl3lrS/1U72mtdWMvDQIg
K6/V/FVuKHD3NOk01i0FnLaHK7vxHI4oxZR+i/QcHv4=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFmTfLmi7eOYjiRCT
AmrjYsQcgHSEhoWqDcf5cYPM1ouhRANCAAS2vvuJyrMKSKW13o54+3+79cKUJ/u+
qkKtR6ciAktbZgk+1soV67TRADmWHM2x1JyX5uF2Uq4BsjsygT2hz9uB
-----END PRIVATE KEY-----
`
}
