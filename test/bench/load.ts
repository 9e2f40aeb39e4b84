import { connect, type Socket } from 'node:net'

export interface LoadOptions {
  url: string
  /** The n-th body. */
  body (index: number): string
  total: number
  connections: number
  /** Requests a second, whatever the answers; absent: the next one goes when one is answered. */
  rate?: number
}

export interface LoadResult {
  /** From when a request was due until its answer, in milliseconds. */
  milliseconds: number[]
  statuses: Record<string, number>
  seconds: number
}

interface Due { index: number, at: number }

/**
 * Posts bodies over kept connections, one request at a time on each. Written on plain sockets,
 * because client and server share two cores: what the client costs, the server's numbers lose.
 */
export async function load ({ url, body, total, connections, rate }: LoadOptions): Promise<LoadResult> {
  const { hostname, port, pathname, search } = new URL(url)
  const head = `POST ${pathname}${search} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\ncontent-length: `
  const milliseconds: number[] = []
  const statuses: Record<string, number> = {}
  const waiting: Due[] = []
  const idle: Socket[] = []
  let begun = 0
  let answered = 0

  return new Promise((resolve, reject) => {
    const began = performance.now()
    const sockets = Array.from({ length: connections }, () => open())
    const clock = rate === undefined ? undefined : setInterval(fill, 1)

    function fill (): void {
      if (rate === undefined) return
      const due = Math.min(total, Math.floor((performance.now() - began) * rate / 1_000))
      for (; begun < due; begun++) waiting.push({ index: begun, at: began + begun * 1_000 / rate })
      while (waiting.length > 0 && idle.length > 0) send(idle.pop()!, waiting.shift()!)
    }

    function next (socket: Socket): void {
      if (rate === undefined) {
        if (begun < total) send(socket, { index: begun++, at: performance.now() })
        return
      }
      const due = waiting.shift()
      if (due === undefined) idle.push(socket)
      else send(socket, due)
    }

    const inFlight = new Map<Socket, number>()
    function send (socket: Socket, { index, at }: Due): void {
      const text = body(index)
      inFlight.set(socket, at)
      socket.write(`${head}${Buffer.byteLength(text)}\r\n\r\n${text}`)
    }

    function open (): Socket {
      const socket = connect(Number(port), hostname)
      let text = ''
      socket.setNoDelay(true)
      socket.on('connect', () => { next(socket) })
      socket.on('error', error => {
        finish()
        reject(error)
      })
      socket.on('data', chunk => {
        text += chunk.toString('latin1')
        const end = text.indexOf('\r\n\r\n')
        if (end === -1) return
        const length = Number(/content-length: *(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0)
        if (text.length < end + 4 + length) return
        const status = text.slice(9, 12)
        text = ''
        milliseconds.push(performance.now() - inFlight.get(socket)!)
        statuses[status] = (statuses[status] ?? 0) + 1
        if (++answered < total) return next(socket)
        const seconds = (performance.now() - began) / 1_000
        finish()
        resolve({ milliseconds, statuses, seconds })
      })
      return socket
    }

    function finish (): void {
      clearInterval(clock)
      for (const socket of sockets) socket.destroy()
    }
  })
}
