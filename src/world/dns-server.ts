import { createSocket, type Socket } from 'node:dgram'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_AVAILABLE, RECURSION_DESIRED, TRUNCATED_RESPONSE, type Answer, type OptAnswer, type Packet } from 'dns-packet'
import type { DnsView } from './dns-records.ts'

const rcodes = new Map(['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE'].map((word, code) => [word, code]))
const extendedErrorOption = 15
const plainUdpLimit = 512

export interface DnsServer { port: number, close: () => Promise<void> }
export interface AskedName { name: string, type: string }

/** Serves one view on one loopback port, UDP and TCP. `asked` is told every question. */
export async function openDnsServer (view: DnsView, asked: (question: AskedName) => void): Promise<DnsServer> {
  const { server, socket, port } = await bindPair(5)
  const open = new Set<{ destroy: () => void }>()
  const answer = (message: Buffer, limit: number | undefined): Buffer | undefined => {
    const query = readQuery(message)
    if (query === undefined) return undefined
    if (query.question !== undefined) asked(query.question)
    return answerQuery(view, query, limit)
  }
  socket.on('message', (message, from) => {
    const reply = answer(message, plainUdpLimit)
    if (reply !== undefined) socket.send(reply, from.port, from.address, () => {})
  })
  // A client that is gone is no news.
  socket.on('error', () => {})
  server.on('connection', (connection) => {
    let received = Buffer.alloc(0)
    connection.on('error', () => {})
    connection.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data])
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const size = received.readUInt16BE(0) + 2
        const reply = answer(received.subarray(2, size), undefined)
        received = received.subarray(size)
        if (reply === undefined) continue
        const length = Buffer.alloc(2)
        length.writeUInt16BE(reply.length)
        connection.write(Buffer.concat([length, reply]))
      }
    })
    open.add(connection)
    connection.on('close', () => open.delete(connection))
  })
  return {
    port,
    close: async () => {
      for (const connection of open) connection.destroy()
      await Promise.all([new Promise<void>((resolve) => socket.close(resolve)), new Promise<void>((resolve) => { server.close(() => resolve()) })])
    }
  }
}

/** One port number for both transports; the number that TCP was given may be taken for UDP. */
async function bindPair (tries: number): Promise<{ server: Server, socket: Socket, port: number }> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(port, '127.0.0.1', () => { socket.off('error', reject); resolve() })
    })
    return { server, socket, port }
  } catch (error) {
    socket.close()
    await new Promise<void>((resolve) => { server.close(() => resolve()) })
    if (tries > 1) return bindPair(tries - 1)
    throw error
  }
}

interface Query { packet: Packet, question?: AskedName, edns?: OptAnswer }

function readQuery (message: Buffer): Query | undefined {
  let packet: Packet
  try { packet = decode(message) } catch { return undefined }
  const [question] = packet.questions ?? []
  const edns = packet.additionals?.find((record): record is OptAnswer => record.type === 'OPT')
  return { packet, ...(question && { question: { name: question.name.toLowerCase(), type: question.type } }), ...(edns && { edns }) }
}

function answerQuery (view: DnsView, { packet, question, edns }: Query, plainLimit: number | undefined): Buffer | undefined {
  if (question === undefined) return encodeReply({ packet, rcode: 'FORMERR' })
  const found = view.resolve(question.name, question.type)
  if (found.silent) return undefined
  const option = edns === undefined ? [] : [optRecord(found.ede)]
  const whole = encodeReply({ packet, rcode: found.rcode, aa: view.authoritative, answers: found.answers, authorities: found.authority, additionals: option })
  const limit = plainLimit === undefined ? Infinity : Math.max(plainLimit, Math.min(edns?.udpPayloadSize ?? plainLimit, 1232))
  return whole.length <= limit ? whole : encodeReply({ packet, rcode: found.rcode, aa: view.authoritative, truncated: true, additionals: option })
}

function encodeReply (reply: { packet: Packet, rcode: string, aa?: boolean, truncated?: boolean, answers?: Answer[], authorities?: Answer[], additionals?: Answer[] }): Buffer {
  const { packet, rcode, aa = false, truncated = false } = reply
  const flags = (aa ? AUTHORITATIVE_ANSWER : RECURSION_AVAILABLE) | ((packet.flags ?? 0) & RECURSION_DESIRED) | (truncated ? TRUNCATED_RESPONSE : 0) | (rcodes.get(rcode) ?? 2)
  return encode({ type: 'response', id: packet.id, flags, questions: packet.questions, answers: reply.answers ?? [], authorities: reply.authorities ?? [], additionals: reply.additionals ?? [] })
}

/** EDNS, with an extended error (RFC 8914) when the case gives one. */
function optRecord (ede: { code: number, text: string } | undefined): OptAnswer {
  const options: { code: number, data: Buffer }[] = []
  if (ede !== undefined) {
    const code = Buffer.alloc(2)
    code.writeUInt16BE(ede.code)
    options.push({ code: extendedErrorOption, data: Buffer.concat([code, Buffer.from(ede.text)]) })
  }
  return { type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: options as OptAnswer['options'] }
}
